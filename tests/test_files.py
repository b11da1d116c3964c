# SPDX-License-Identifier: GPL-2.0-only
"""A file is written whole, or not at all."""

import errno
import fcntl
import os

import pytest

from bench import files
from bench.files import replacing


@pytest.mark.parametrize("before", [None, b"old"])
def test_a_write_that_breaks_off_leaves_what_was_there(tmp_path, before):
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)

    def fail():
        with replacing(path) as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert os.listdir(tmp_path) == (["file"] if before else [])
    assert not before or path.read_bytes() == before


def test_a_file_is_there_when_the_block_ends_and_others_may_read_it(tmp_path):
    old = os.umask(0o022)
    try:
        with replacing(tmp_path / "file") as file:
            file.write(b"whole")
            assert not (tmp_path / "file").exists()
    finally:
        os.umask(old)
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_file_system_without_locks_will_do_and_nobody_is_taken_for_dead_there(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(files.fcntl, "flock", refused)
    with replacing(tmp_path / "file") as file:
        [half] = tmp_path.iterdir()
        assert not files.remove_dead(half)
        file.write(b"whole")
    assert (tmp_path / "file").read_bytes() == b"whole"


def test_a_half_that_somebody_removes_before_it_is_locked_is_begun_again(tmp_path, monkeypatch):
    lock, removed = files.fcntl.flock, []

    def late(*how):
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        lock(*how)

    monkeypatch.setattr(files.fcntl, "flock", late)
    with replacing(tmp_path / "file") as file:
        file.write(b"whole")
    assert len(removed) == 1
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]


def test_a_half_is_dead_when_nobody_has_it_locked(tmp_path):
    half = tmp_path / ".file.abcdefgh"
    half.write_bytes(b"ha")
    with open(half) as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert not files.remove_dead(half)
    assert files.dead(half)
    assert half.exists(), "who only asks leaves it"
    with replacing(tmp_path / "file") as file:
        file.write(b"whole")
    assert os.listdir(tmp_path) == ["file"], "the next writer removes it"
    assert not files.remove_dead(half)


def test_a_file_that_replaces_another_has_its_permissions(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(0o640)
    with replacing(tmp_path / "file", like=tmp_path / "file") as file:
        file.write(b"new")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_what_cannot_be_written_is_named_by_its_own_name(tmp_path):
    path = tmp_path / "none/file"
    with pytest.raises(OSError, match="No such file") as raised, replacing(path):
        pass
    assert raised.value.filename == str(path)
