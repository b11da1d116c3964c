# SPDX-License-Identifier: GPL-2.0-only
"""Reads a bzImage: is it one, of which release, and the configuration in it (CONFIG_IKCONFIG)."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import stat
import struct
import tempfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from bench import processes
from bench.errors import BadInput, ProgramFailed
from bench.plan import kconfig
from bench.plan.arches import ARCHES

# Fields of the header: Documentation/arch/x86/boot.rst.
_SETUP_SECTS, _SYSSIZE, _MAGIC, _VERSION, _KERNEL_VERSION = 0x1F1, 0x1F4, 0x202, 0x206, 0x20E
_XLOADFLAGS, _PAYLOAD, _HEADER_END = 0x236, 0x248, 0x250
_OTHERS = ((b"\x7fELF", 0, "an ELF file, such as vmlinux"),
           *((row.magic, 56, f"an image for {row.debian}") for row in ARCHES.values() if row.magic))  # fmt: skip
# Bytes of an image, and of the kernel that is packed in it: x86 has so many addresses for one (KERNEL_IMAGE_SIZE, where
# they are not random), and those of distributions have a tenth.
MOST = 1 << 29
_PIECE = 1 << 20
_SECONDS = 60.0
_BEGIN = b"IKCFG_ST"  # before a configuration: kernel/configs.c puts it there


def head_of(path: Path, most: int, hint: str) -> tuple[bytes, int]:
    """Return the first bytes of a kernel image of any form, and how many there are. Raises BadInput, also for one that
    is too large.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BadInput(f"{path} is no file", hint)  # opening a pipe would wait for who writes it
        if status.st_size > MOST:
            raise BadInput(f"{path} has {status.st_size >> 20} MiB, and a kernel {MOST >> 20} at most", hint)
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


def digest(path: Path) -> str:
    """Return the SHA-256 of an image of any form."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def config(path: Path) -> str:
    """Return the configuration that a bzImage carries, empty where it has none or can't be unpacked here.

    Raises BadInput for one that unpacks to too much.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER_END)
        file.seek(_code(head) + _number(head, _PAYLOAD, "<I"))
        payload = file.read(min(_number(head, _PAYLOAD + 4, "<I"), MOST))
    with closing(_unpacked(payload)) as pieces:
        return config_in(pieces, path)


def config_in(pieces: Iterable[bytes], path: Path) -> str:
    """Return the configuration in a kernel that comes in pieces, of an image of any form; empty where it has none.

    Raises BadInput, which names the image, where kernel or configuration is too large.
    """
    unpacker = zlib.decompressobj(wbits=31)  # it is packed by gzip always, however the kernel is
    begun, size, rest, text = b"", 0, b"", bytearray()
    for piece in pieces:
        size += len(piece)
        if size > MOST:
            raise BadInput(
                f"{path} unpacks to more than {MOST >> 20} MiB, and no kernel does", "build it, or get it, anew"
            )
        rest += piece
        if not begun:
            _, begun, behind = rest.partition(_BEGIN)
            rest = behind if begun else rest[-len(_BEGIN) :]
        if begun:
            try:
                text += unpacker.decompress(rest, kconfig.MOST + 1 - len(text))
            except zlib.error:
                return ""
            if len(text) > kconfig.MOST:
                raise BadInput(
                    f"{path}: its configuration unpacks to more than {kconfig.MOST >> 20} MiB", "build it anew"
                )
            if unpacker.eof:
                break
            rest = b""
    return text.decode(errors="replace")


def _number(head: bytes, at: int, form: str) -> int:
    return int(struct.unpack_from(form, head, at)[0])


def _code(head: bytes) -> int:
    """Return where the kernel begins, behind the code that sets up the machine."""
    return 512 * ((head[_SETUP_SECTS] or 4) + 1)


@contextmanager
def _by(tool: str, payload: bytes) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as packed:
        packed.write(payload[:-4])  # the last four bytes are its size unpacked, at which the tool would complain
        packed.seek(0)
        with processes.stream([tool, "-dcq"], _SECONDS, packed) as unpacked:
            yield unpacked


# Each gives a packed kernel as a file to read.
_PACKERS: dict[bytes, Callable[[bytes], AbstractContextManager[Any]]] = {
    b"\x1f\x8b": lambda data: gzip.GzipFile(fileobj=io.BytesIO(data)),
    b"\xfd7zXZ\0": lambda data: lzma.LZMAFile(io.BytesIO(data)),  # noqa: SIM115
    b"\x5d\0\0": lambda data: lzma.LZMAFile(io.BytesIO(data)),  # noqa: SIM115
    b"BZh": lambda data: bz2.BZ2File(io.BytesIO(data)),
    b"\x28\xb5\x2f\xfd": partial(_by, "zstd"),
    b"\x02\x21\x4c\x18": partial(_by, "lz4"),
    b"\x89LZO": partial(_by, "lzop"),
}


def _unpacked(payload: bytes) -> Generator[bytes, None, None]:
    """Yield the kernel itself in pieces, as far as it can be unpacked here; who has enough closes it."""
    for magic, unpack in _PACKERS.items():
        if payload.startswith(magic):
            with suppress(zlib.error, lzma.LZMAError, OSError, EOFError, ProgramFailed), unpack(payload) as file:
                while piece := file.read1(_PIECE):  # not read(): what is damaged would take what came before with it
                    yield piece
