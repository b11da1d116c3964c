# SPDX-License-Identifier: GPL-2.0-only
"""The folder that keeps kernels and initramfs images between runs, and its locks."""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import reading, signals
from bench.errors import BadInput, PermissionDenied, Unsupported

LOCK = "lock"
_PATIENCE = 3600.0  # seconds: who has it may be building a kernel
_SAID_SECONDS = 2.0  # after which a wait is told


def place() -> Path:
    """Return where the cache is, or would be."""
    # An XDG_CACHE_HOME that is empty, or not absolute, counts as unset (XDG base directory specification).
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = given if given.startswith("/") else os.path.expanduser("~/.cache")
    return Path(base) / "pagemap-bench"


def folder(name: str) -> Path:
    """Return the cache's folder for `name`, made if need be."""
    path = place() / name
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PermissionDenied(
            f"can't make the cache folder {path}: {error.strerror}", "set XDG_CACHE_HOME to a writable folder"
        ) from error
    return path


def usable(path: Path, whole: Callable[[bytes], bool]) -> bool:
    """Whether a file is there, and whole() of its bytes; one that isn't is removed, since it can be made again.

    Raises BadInput where something else has its name.
    """
    try:
        with reading.opened(path) as file:
            if whole(file.read()):
                return True
        path.unlink()
    except FileNotFoundError:
        return False
    except (OSError, BadInput) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"{path} in the cache can't be used: {why}", f"remove {path}, then it is made again") from None
    return False


@contextlib.contextmanager
def lock(name: str, echo: Callable[[str], None] = lambda _: None) -> Iterator[int]:
    """Keep other processes out of the cache's folder `name`, by a descriptor; a killed holder frees it.

    echo: told where it takes long. Raises Unsupported where another process does not let go of it.
    """
    handle = _locked(name, fcntl.LOCK_EX, echo)
    try:
        for half in folder(name).glob(".*"):  # who was killed held this lock while writing it
            _remove(half)
        yield handle
    finally:
        os.close(handle)


def _remove(half: Path) -> None:
    with contextlib.suppress(OSError):
        if half.is_dir() and not half.is_symlink():
            shutil.rmtree(half)
        else:
            half.unlink()


def hold() -> None:
    """Keep what is in the cache where it is until this process ends: a run boots its kernel again and again."""
    _locked("", fcntl.LOCK_SH)


def _locked(name: str, how: int, echo: Callable[[str], None] = lambda _: None) -> int:
    """Lock the cache's folder `name`, and return the descriptor. Raises Unsupported where another keeps it."""
    while True:
        path = folder(name) / LOCK
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            if path.is_symlink():
                raise
            continue  # the folder was cleaned away meanwhile
        try:
            _acquire(handle, how, path.parent, echo)
            if os.fstat(handle).st_nlink:  # nobody cleaned it away before it was locked
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _acquire(handle: int, how: int, what: Path, echo: Callable[[str], None]) -> None:
    """Take a lock, and say so where that takes long. Raises Unsupported where another process does not let go of it."""
    begun, said = time.monotonic(), False
    while True:
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            waited = time.monotonic() - begun
            if waited > _SAID_SECONDS and not said:
                echo(f"another process is making something in {what}: waiting for it")
                said = True
            if waited > _PATIENCE:
                raise Unsupported(
                    f"another process has kept {what} for {_PATIENCE / 60:.0f} minutes", "is one left over?"
                ) from None
            signals.check()
            time.sleep(0.1)
