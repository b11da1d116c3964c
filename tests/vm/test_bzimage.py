# SPDX-License-Identifier: GPL-2.0-only
"""What is read out of a bzImage, and what is refused as none."""

import bz2
import gzip
import lzma
import os
import shutil
import subprocess

import pytest

from bench.errors import BadInput
from bench.vm import bzimage
from tests.vm.images import bzimage as made

CONFIG = "CONFIG_HZ=250\n" * 1000
VMLINUX = bytes(5000) + b"IKCFG_ST" + gzip.compress(CONFIG.encode()) + b"IKCFG_ED" + bytes(5000)


def written(path, content):
    path.write_bytes(content)
    return path


def test_the_release_is_what_uname_says(tmp_path):
    path = written(tmp_path / "bzImage", made("6.12.117-rc1+"))
    bzimage.check(path, "")
    assert bzimage.release(path) == "6.12.117-rc1+"


def by(tool):
    def pack(data):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} on this machine")
        options = ["-l"] if tool == "lz4" else []  # the kernel's is the legacy format
        packed = subprocess.run([tool, *options, "-c"], input=data, capture_output=True, check=True).stdout
        return packed + len(data).to_bytes(4, "little")  # as scripts/Makefile.lib appends it

    return pack


@pytest.mark.parametrize(
    "pack",
    [
        gzip.compress,
        bz2.compress,
        lzma.compress,
        lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
        pytest.param(by("zstd"), id="zstd"),
        pytest.param(by("lz4"), id="lz4"),
    ],
)
def test_the_configuration_is_read_however_the_kernel_is_packed(tmp_path, pack):
    path = written(tmp_path / "bzImage", made(payload=pack(VMLINUX)))
    bzimage.check(path, "")
    assert bzimage.config(path) == CONFIG


@pytest.mark.parametrize(
    "payload",
    [b"", b"not packed", gzip.compress(b"no configuration"), gzip.compress(VMLINUX)[:60], b"\xfd7zXZ\0rubbish"],
    ids=["empty", "not packed", "no configuration", "cut off", "rubbish"],  # gzip's bytes have the time in them
)
def test_without_a_configuration_it_is_unknown(tmp_path, payload):
    assert bzimage.config(written(tmp_path / "bzImage", made(payload=payload))) == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no bzImage"),
        (b"HdrS", "is no bzImage"),
        (b"\x7fELF" + bytes(4000), "is no bzImage: it is an ELF file, such as vmlinux"),
        (bytes(56) + b"ARMd" + bytes(4000), "is no bzImage: it is an image for arm64"),
        (made(payload=bytes(9000))[:-1000], "is cut off: it holds .* of .* bytes"),
        (made()[:0x210], "is cut off"),
        (made(bits=32), "is of a 32-bit kernel"),
    ],
)
def test_what_is_no_whole_bzimage_is_named(tmp_path, content, says):
    with pytest.raises(BadInput, match=says):
        bzimage.check(written(tmp_path / "image", content), "")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(BadInput, match="is no file"):
            bzimage.check(tmp_path / path, "")


def test_what_a_packer_writes_without_end_is_taken_as_far_as_a_kernel_may_go(tmp_path, monkeypatch):
    """A small file may unpack to more than any machine has."""
    (tmp_path / "zstd").write_text("#!/bin/sh\nexec cat /dev/zero\n")
    (tmp_path / "zstd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(bzimage, "_MOST", 1 << 20)
    assert bzimage._unpacked(b"\x28\xb5\x2f\xfd" + bytes(100)) == bytes(1 << 20)


def test_what_is_larger_than_any_kernel_is_not_read(tmp_path):
    image = written(tmp_path / "bzImage", made())
    os.truncate(image, (1 << 29) + 1)
    with pytest.raises(BadInput, match="has 512 MiB, and a kernel 512 at most"):
        bzimage.check(image, "")
