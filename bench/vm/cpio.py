# SPDX-License-Identifier: GPL-2.0-only
"""Writes a newc cpio archive, the form of an initramfs (Documentation/driver-api/early-userspace/buffer-format.rst)."""

import stat
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

_MAGIC, _TRAILER = b"070701", "TRAILER!!!"


class Entry(NamedTuple):
    """One file: its type and permissions, its content (a symlink's target), a device's numbers."""

    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def file(content: bytes, *, executable: bool = False) -> Entry:
    """Return a regular file."""
    return Entry(stat.S_IFREG | (0o755 if executable else 0o644), content)


def pack(entries: Mapping[str, Entry]) -> bytes:
    """Return the archive of `entries` by guest path, with the folders they need; the same bytes for the same input."""
    folders = {str(parent) for path in entries for parent in PurePosixPath(path).parents}
    every = {folder: Entry(stat.S_IFDIR | 0o755) for folder in folders - {"/"}} | dict(entries)
    parts = [_record(path.lstrip("/"), every[path], number) for number, path in enumerate(sorted(every), start=1)]
    return b"".join([*parts, _record(_TRAILER, Entry(0), 0)])


def whole(archive: bytes) -> bool:
    """Whether an archive has a beginning and an end."""
    return archive.startswith(_MAGIC) and _TRAILER.encode() in archive[-64:]


def _record(name: str, entry: Entry, inode: int) -> bytes:
    encoded = name.encode("utf-8", "surrogateescape") + b"\0"
    # inode mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check:
    # all times and owners zero, so that the same input gives the same bytes
    fields = (inode, entry.mode, 0, 0, 1, 0, len(entry.content), 0, 0, *entry.device, len(encoded), 0)
    return _padded(_MAGIC + b"".join(b"%08x" % field for field in fields) + encoded) + _padded(entry.content)


def _padded(part: bytes) -> bytes:
    return part + bytes(-len(part) % 4)
