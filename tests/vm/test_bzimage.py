# SPDX-License-Identifier: GPL-2.0-only
"""What is read out of a bzImage, and what is refused as none."""

import bz2
import gzip
import lzma
import os
import shutil
import subprocess
import tracemalloc

import pytest

from bench.errors import BadInput
from bench.plan import kconfig
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


@pytest.mark.timeout(30)
def test_what_a_packer_writes_without_end_is_refused_and_the_packer_ended(tmp_path, monkeypatch):
    """A small file may unpack to more than any machine has."""
    (tmp_path / "zstd").write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec cat /dev/zero\n")
    (tmp_path / "zstd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = written(tmp_path / "bzImage", made(payload=b"\x28\xb5\x2f\xfd" + bytes(100)))
    monkeypatch.setattr(bzimage, "MOST", 1 << 20)
    with pytest.raises(BadInput, match=f"{path} unpacks to more than 1 MiB"):
        bzimage.config(path)
    assert not os.path.exists(f"/proc/{(tmp_path / 'pid').read_text().strip()}")


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, lambda data: lzma.compress(data, lzma.FORMAT_ALONE)]
)
def test_little_that_unpacks_to_too_much_is_refused_and_never_all_in_memory(tmp_path, monkeypatch, pack):
    path = written(tmp_path / "bzImage", made(payload=pack(bytes(33 << 20))))
    monkeypatch.setattr(bzimage, "MOST", 32 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match=f"{path} unpacks to more than 32 MiB"):
            bzimage.config(path)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20  # xz keeps 8 MiB itself
    finally:
        tracemalloc.stop()


def test_a_configuration_that_unpacks_to_too_much_is_refused(tmp_path):
    packed = b"IKCFG_ST" + gzip.compress(bytes(kconfig.MOST + 1))
    path = written(tmp_path / "bzImage", made(payload=gzip.compress(packed)))
    with pytest.raises(BadInput, match=f"{path}: its configuration unpacks to more than 4 MiB"):
        bzimage.config(path)


def test_a_configuration_is_found_wherever_it_lies(tmp_path):
    """Of pieces in which it comes no two need to be of one size."""
    whole = bytes(100) + b"IKCFG_ST" + gzip.compress(CONFIG.encode()) + b"IKCFG_ED" + bytes(100)
    for size in (1, 7, 8, 9, 64, 107, 108, len(whole)):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert bzimage.config_in(pieces, tmp_path) == CONFIG


def test_what_is_larger_than_any_kernel_is_not_read(tmp_path):
    image = written(tmp_path / "bzImage", made())
    os.truncate(image, (1 << 29) + 1)
    with pytest.raises(BadInput, match="has 512 MiB, and a kernel 512 at most"):
        bzimage.check(image, "")
