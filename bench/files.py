# SPDX-License-Identifier: GPL-2.0-only
"""Writes files so that nobody ever finds half of one, and removes the halves of writers that were killed."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from bench import signals

_MODE = 0o644
_NAME = 100  # characters of a file's name in that of its half


@contextlib.contextmanager
def replacing(path: Path, like: Path | None = None) -> Iterator[IO[bytes]]:
    """Write a file that appears under `path` only when the block ended well. Raises OSError, which names it.

    like: a file whose permissions, and owner where that may be, it gets.
    """
    aside = ""
    try:
        for half in path.parent.glob(f".{glob.escape(path.name[:_NAME])}.{'?' * 8}"):
            remove_dead(half)
        with signals.later():
            handle, aside = _locked_half(path)
        with open(handle, "wb") as file:
            yield file
            file.flush()
            if like:
                owner = like.stat()
                with contextlib.suppress(OSError):  # only root, as whom people measure, may give it back to its owner
                    os.chown(aside, owner.st_uid, owner.st_gid)
                os.chmod(aside, stat.S_IMODE(owner.st_mode))
            else:
                os.chmod(aside, _MODE & ~_umask())
            os.replace(aside, path)
    except BaseException as error:
        if aside:
            with contextlib.suppress(OSError):
                os.unlink(aside)
        if isinstance(error, OSError) and error.filename != str(path):
            error.filename = str(path)  # nobody has a use for the name of its half
        raise


def dead(half: Path, remove: Callable[[Path], None] = lambda half: None) -> bool:
    """Whether the writer of a file that replacing() was writing is dead; then also `remove` it."""
    try:
        handle = os.open(half, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(half)
    except OSError:  # somebody writes it, or it is not ours to remove
        return False
    finally:
        os.close(handle)
    return True


def remove_dead(half: Path) -> bool:
    """Remove a file that replacing() was writing, where its writer is dead; return whether it was."""
    return dead(half, os.unlink)


def _locked_half(path: Path) -> tuple[int, str]:
    """Make a file beside another one, with a lock that this process holds as long as it is open."""
    while True:
        handle, aside = tempfile.mkstemp(prefix=f".{path.name[:_NAME]}.", dir=path.parent)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # a file system without locks: then nobody takes it for dead either
            return handle, aside
        if os.fstat(handle).st_nlink:  # nobody removed it before it was locked
            return handle, aside
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
