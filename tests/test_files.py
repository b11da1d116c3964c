# SPDX-License-Identifier: GPL-2.0-only
"""A file is written whole, or not at all."""

import os

import pytest

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
