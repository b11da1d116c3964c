# SPDX-License-Identifier: GPL-2.0-only
"""Files are read as far as they may be: no pipes, no folders, nothing that is larger than it may be."""

import gzip
import lzma
import os

import pytest

from bench import reading
from bench.errors import BadInput


def test_a_file_is_read_whole_packed_or_not(tmp_path):
    (tmp_path / "one").write_bytes(b"\xef\xbb\xbftext\n")  # as an editor of another system marks it
    (tmp_path / "one.gz").write_bytes(gzip.compress(b"text\n"))
    (tmp_path / "one.xz").write_bytes(lzma.compress(b"text\n"))
    for name in ("one", "one.gz", "one.xz"):
        assert reading.whole(tmp_path / name) == "text\n"
    for name in ("one.gz", "one.xz"):
        assert list(reading.lines(tmp_path / name, 10)) == ["text\n"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_waited_for(tmp_path, make):
    make(tmp_path / "x")
    for read in (
        lambda path: reading.opened(path).__enter__(),
        reading.whole,
        lambda path: next(reading.lines(path, 10)),
    ):
        with pytest.raises(BadInput, match="it is no file"):
            read(tmp_path / "x")


@pytest.mark.parametrize("name", ["x", "x.gz", "x.xz"])
def test_no_descriptor_stays_open(tmp_path, name):
    pack = {"x": bytes, "x.gz": gzip.compress, "x.xz": lzma.compress}[name]
    (tmp_path / name).write_bytes(pack(b"line\n"))
    before = os.listdir("/proc/self/fd")
    with reading.opened(tmp_path / name) as file:
        assert file.read() == b"line\n"
    assert os.listdir("/proc/self/fd") == before


def test_only_so_much_is_read(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(bytes(3 << 20))
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"123456789\n" * 1000))
    (tmp_path / "x.xz").write_bytes(lzma.compress(b"123456789\n" * 1000))
    with pytest.raises(BadInput, match="more than 1 MiB"):
        reading.whole(tmp_path / "x", 1 << 20)
    with pytest.raises(BadInput, match="a line of more than 1 MiB"):
        next(reading.lines(tmp_path / "x", 1 << 20))
    monkeypatch.setattr(reading, "MOST", 5000)
    for name in ("x.gz", "x.xz"):
        with pytest.raises(BadInput, match="when it is unpacked"):
            list(reading.lines(tmp_path / name, 100))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.gz", b"\x1f\x8b\x08"),
        ("x.gz", b"no gzip"),
        ("x.xz", lzma.compress(b"text\n" * 99)[:40]),
        ("x.xz", b"no xz"),
        ("x", b"\xff"),
    ],
)
def test_what_is_damaged_is_said(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match="it can't be read"):
        reading.whole(tmp_path / name)


def test_what_is_not_there_is_left_to_whoever_asks(tmp_path):
    with pytest.raises(FileNotFoundError):
        reading.whole(tmp_path / "x")
