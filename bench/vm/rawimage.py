# SPDX-License-Identifier: GPL-2.0-only
"""Reads an Image, which is not packed: is it one of an architecture, of which release, and the configuration in it.

arm64 and riscv64 have the same header but for the magic number; behind it is a PE header, since an Image is an EFI
program as well.
"""

from __future__ import annotations

import re
import struct
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bench.errors import BadInput
from bench.plan.arches import ARCHES, Arch
from bench.vm import bzimage

_FLAGS, _MAGIC, _PE = 24, 56, 60
_HEADER_END = 64
_MOST_HEADERS = 4096
_PIECE = 1 << 20
_OTHERS = ((b"\x7fELF", 0, "an ELF file, such as vmlinux"), (b"HdrS", 0x202, "a bzImage, for x86: leave out --arch"),
           (b"\x1f\x8b", 0, "packed: gunzip it"), (b"zimg", 4, "packed: build Image instead"),
           *((row.magic, _MAGIC, f"for {row.debian}: give --arch {row.debian}")
             for row in ARCHES.values() if row.magic))  # fmt: skip


class Form(NamedTuple):
    """The Images of one architecture."""

    arch: Arch

    def check(self, path: Path, hint: str) -> None:
        """Raise BadInput for what is no such Image, or not a whole one."""
        head, size = bzimage.head_of(path, _MOST_HEADERS, hint)
        if head[_MAGIC:_PE] != self.arch.magic:
            what = next((f": it is {what}" for magic, at, what in _OTHERS if head[at:].startswith(magic)), "")
            raise BadInput(f"{path} is no {self.arch.debian} Image{what}", hint)
        if size < (whole := _whole(head)):
            raise BadInput(f"{path} is cut off: it holds {size} of {whole} bytes", "copy it, or build it, again")

    def page_size(self, path: Path) -> int:
        """Return the bytes of a page, 0 where the header does not say it: bits 1 and 2 of its flags."""
        with path.open("rb") as file:
            (flags,) = struct.unpack_from("<Q", file.read(_HEADER_END), _FLAGS)
        return {1: 4096, 2: 16384, 3: 65536}.get(flags >> 1 & 3, 0)

    def release(self, path: Path) -> str:
        """Return the release of an Image that was checked, as uname -r prints it; empty where it doesn't say."""
        found = re.search(rb"Linux version ([!-~]{1,64}) ", path.read_bytes())
        return found[1].decode() if found else ""

    def config(self, path: Path) -> str:
        """Return the configuration that an Image carries, empty where it has none. Raises BadInput for too much."""
        with path.open("rb") as file:
            return bzimage.config_in(iter(lambda: file.read(_PIECE), b""), path)


def _whole(head: bytes) -> int:
    """Return the size of the file by its sections, as far as their headers say it."""
    with suppress(struct.error):
        (start,) = struct.unpack_from("<I", head, _PE)
        if head[start : start + 4] != b"PE\0\0":
            return _HEADER_END
        sections, optional = struct.unpack_from("<H12xH", head, start + 6)
        places = [start + 24 + optional + 40 * number for number in range(min(sections, 16))]
        return max((sum(struct.unpack_from("<II", head, place + 16)) for place in places), default=_HEADER_END)
    return _HEADER_END
