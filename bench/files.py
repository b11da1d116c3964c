# SPDX-License-Identifier: GPL-2.0-only
"""Writes files so that nobody ever finds half of one."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_MODE = 0o644


@contextlib.contextmanager
def replacing(path: Path, like: Path | None = None) -> Iterator[IO[bytes]]:
    """Write a file that appears under `path` only when the block ended well. Raises OSError.

    like: a file whose permissions, and owner where that may be, it gets.
    """
    handle, aside = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        os.close(handle)
        with open(aside, "wb") as file:
            yield file
        if like:
            owner = like.stat()
            with contextlib.suppress(OSError):  # only root, as whom people measure, may give it back to its owner
                os.chown(aside, owner.st_uid, owner.st_gid)
            os.chmod(aside, stat.S_IMODE(owner.st_mode))
        else:
            os.chmod(aside, _MODE & ~_umask())
        os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
