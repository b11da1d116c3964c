# SPDX-License-Identifier: GPL-2.0-only
"""The folder that keeps kernels and initramfs images between runs, and its locks."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from bench.errors import PermissionDenied, Unsupported

_PATIENCE = 3600.0  # seconds: who has it may be building a kernel


def folder(name: str) -> Path:
    """Return the cache's folder for `name`, made if need be."""
    # An empty XDG_CACHE_HOME counts as unset (XDG base directory specification).
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(base) / "pagemap-bench" / name
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PermissionDenied(
            f"can't make the cache folder {path}: {error.strerror}", "set XDG_CACHE_HOME to a writable folder"
        ) from error
    return path


@contextlib.contextmanager
def lock(name: str) -> Iterator[int]:
    """Keep other processes out of the cache's folder `name`, by a descriptor; a killed holder frees it.

    Raises Unsupported where another process does not let go of it.
    """
    end = time.monotonic() + _PATIENCE
    with (folder(name) / "lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Unsupported(
                        f"another process has kept {folder(name)} for {_PATIENCE / 60:.0f} minutes", "is one left over?"
                    ) from None
                time.sleep(0.1)
        yield file.fileno()
