# SPDX-License-Identifier: GPL-2.0-only
"""Reads files that may be anybody's: regular ones alone, and never more of one than it may hold, unpacked too."""

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bench.errors import BadInput

try:
    import lzma
except ImportError:  # a Python that was built without it; a guest's has no library for it
    lzma = None  # type: ignore[assignment]

MOST = 1 << 28  # bytes of a file that is read whole, and of a packed one when it is unpacked
# What reading one that is damaged may raise.
DAMAGED = (OSError, EOFError, zlib.error, UnicodeDecodeError, lzma.LZMAError if lzma else OSError)
_PACKED: dict[str, Any] = {".gz": lambda file: gzip.GzipFile(fileobj=file), ".xz": lzma and lzma.LZMAFile}
HINT = "give a whole file that was not changed since it was written"


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a regular file; what ends in .gz or .xz is unpacked. Raises OSError, BadInput for a pipe."""
    if path.suffix == ".xz" and not lzma:
        raise BadInput("this Python can't unpack it: it was built without lzma", "unpack it first, with unxz")
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # opening a pipe would wait for who writes it
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BadInput("it is no file", HINT)
    with os.fdopen(handle, "rb") as file:
        if path.suffix not in _PACKED:
            yield file
            return
        with _PACKED[path.suffix](file) as unpacked:  # which closes itself alone
            yield unpacked


def whole(path: Path, most: int = MOST, errors: str = "strict") -> str:
    """Return the text of a file; errors: what is done about bytes that are none, as in bytes.decode().

    Raises FileNotFoundError, and BadInput, which does not name it.
    """
    try:
        with opened(path) as file:
            data = file.read(most + 1)
        text = data.decode("utf-8-sig", errors)
    except FileNotFoundError:
        raise
    except DAMAGED as error:
        raise BadInput(f"it can't be read: {getattr(error, 'strerror', None) or error}", HINT) from None
    if len(data) > most:
        raise BadInput(f"it holds more than {most >> 20} MiB", HINT)
    return text


def lines(path: Path, longest: int) -> Iterator[str]:
    """Yield the lines of a file with their ends. Raises BadInput for one that is longer, or for a packed file that is
    larger than MOST; those of DAMAGED.
    """
    left = MOST if path.suffix in _PACKED else -1
    with opened(path) as file:
        while line := file.readline(longest + 1):
            if len(line) > longest:
                raise BadInput(f"a line of more than {longest >> 20} MiB")
            left -= len(line) if left >= 0 else 0
            if path.suffix in _PACKED and left < 0:
                raise BadInput(f"more than {MOST >> 20} MiB when it is unpacked", "if it is yours: unpack it first")
            yield line.decode()
