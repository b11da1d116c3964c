# SPDX-License-Identifier: GPL-2.0-only
"""Reads a bzImage: is it one, of which release, and the configuration in it (CONFIG_IKCONFIG)."""

from __future__ import annotations

import bz2
import lzma
import stat
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bench import processes
from bench.errors import BadInput, ProgramFailed
from bench.plan.arches import ARCHES

# Fields of the header: Documentation/arch/x86/boot.rst.
_SETUP_SECTS, _SYSSIZE, _MAGIC, _VERSION, _KERNEL_VERSION = 0x1F1, 0x1F4, 0x202, 0x206, 0x20E
_XLOADFLAGS, _PAYLOAD, _HEADER_END = 0x236, 0x248, 0x250
_OTHERS = ((b"\x7fELF", 0, "an ELF file, such as vmlinux"),
           *((row.magic, 56, f"an image for {row.debian}") for row in ARCHES.values() if row.magic))  # fmt: skip
_MOST = 1 << 29  # bytes of a kernel's text and data
_SECONDS = 60.0


def head_of(path: Path, most: int, hint: str) -> tuple[bytes, int]:
    """Return the first bytes of a kernel image of any form, and how many there are. Raises BadInput."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BadInput(f"{path} is no file", hint)  # opening a pipe would wait for who writes it
        if status.st_size > _MOST:  # what is a kernel is read whole later
            raise BadInput(f"{path} has {status.st_size >> 20} MiB, and a kernel {_MOST >> 20} at most", hint)
        with path.open("rb") as file:
            return file.read(most), status.st_size
    except OSError as error:
        raise BadInput(f"can't read the kernel image {path}: {error.strerror}", hint) from error


def check(path: Path, hint: str) -> None:
    """Raise BadInput for what is no bzImage of a 64-bit kernel, or not a whole one."""
    head, size = head_of(path, _HEADER_END, hint)
    if head[_MAGIC : _MAGIC + 4] != b"HdrS":
        what = next((f": it is {what}" for magic, at, what in _OTHERS if head[at:].startswith(magic)), "")
        raise BadInput(f"{path} is no bzImage{what}", hint)
    whole = _code(head) + 16 * _number(head, _SYSSIZE, "<I") if len(head) == _HEADER_END else _HEADER_END
    if size < whole:
        raise BadInput(f"{path} is cut off: it holds {size} of {whole} bytes", "copy it, or build it, again")
    if _number(head, _VERSION, "<H") >= 0x20C and not _number(head, _XLOADFLAGS, "<H") & 1:
        raise BadInput(f"{path} is of a 32-bit kernel", "build one with CONFIG_64BIT=y: make ARCH=x86_64")


def page_size(path: Path) -> int:
    """Return the bytes of a page."""
    return 4096


def release(path: Path) -> str:
    """Return the release of a bzImage that was checked, as uname -r prints it; empty where it doesn't say."""
    with path.open("rb") as file:
        head = file.read(_HEADER_END)
        at = _number(head, _KERNEL_VERSION, "<H")
        file.seek(at + 0x200)
        text = file.read(256).partition(b"\0")[0] if at else b""
    return text.decode("ascii", "replace").partition(" ")[0]


def config(path: Path) -> str:
    """Return the configuration that a bzImage carries, empty where it has none or can't be unpacked here."""
    image = path.read_bytes()
    start = _code(image) + _number(image, _PAYLOAD, "<I")
    # kernel/configs.c puts it there. The archive in the archive is gzip always.
    packed = _unpacked(image[start : start + _number(image, _PAYLOAD + 4, "<I")]).partition(b"IKCFG_ST")[2]
    with suppress(zlib.error):
        return zlib.decompressobj(wbits=31).decompress(packed, _MOST).decode(errors="replace")
    return ""


def _number(head: bytes, at: int, form: str) -> int:
    return int(struct.unpack_from(form, head, at)[0])


def _code(head: bytes) -> int:
    """Return where the kernel begins, behind the code that sets up the machine."""
    return 512 * ((head[_SETUP_SECTS] or 4) + 1)


def _by(tool: str) -> Callable[[bytes], bytes]:
    # The last four bytes are its size unpacked, at which the tool would complain.
    def unpack(data: bytes) -> bytes:
        return processes.finish(["sh", "-c", f"{tool} -dcq | head -c {_MOST}"], _SECONDS, data[:-4]).stdout

    return unpack


_PACKERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": lambda data: zlib.decompressobj(wbits=31).decompress(data, _MOST),
    b"\xfd7zXZ\0": lambda data: lzma.LZMADecompressor().decompress(data, _MOST),
    b"\x5d\0\0": lambda data: lzma.LZMADecompressor().decompress(data, _MOST),
    b"BZh": lambda data: bz2.BZ2Decompressor().decompress(data, _MOST),
    b"\x28\xb5\x2f\xfd": _by("zstd"),
    b"\x02\x21\x4c\x18": _by("lz4"),
    b"\x89LZO": _by("lzop"),
}


def _unpacked(payload: bytes) -> bytes:
    """Return the kernel itself, empty where it can't be unpacked here."""
    for magic, unpack in _PACKERS.items():
        if payload.startswith(magic):
            with suppress(zlib.error, lzma.LZMAError, OSError, EOFError, ProgramFailed):
                return unpack(payload)
    return b""
