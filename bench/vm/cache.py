# SPDX-License-Identifier: GPL-2.0-only
"""The folder that keeps kernels and initramfs images between runs, and its locks."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from bench.errors import PermissionDenied


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
    """Keep other processes out of the cache's folder `name`, by a descriptor; a killed holder frees it."""
    with (folder(name) / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()
