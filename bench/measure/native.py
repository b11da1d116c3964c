# SPDX-License-Identifier: GPL-2.0-only
"""The C core as it was compiled, and what all that it allocates has in common."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from bench.errors import Unsupported

try:
    from bench.core._core import ffi, lib
except ImportError as error:
    raise Unsupported(f"the C core is not built for this Python: {error}", "run: make setup") from None

__all__ = ["Resource", "check", "ffi", "lib"]


def check(status: int) -> None:
    """Raise OSError(errno, text, call) for a status of the core that is not 0."""
    if status:
        raise OSError(-status, os.strerror(-status), ffi.string(lib.failed_call()).decode())


class Resource:
    """Something the core allocated: closed by `with`, whatever happens inside."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give everything back to the kernel; calling it again does nothing."""
        raise TypeError("a resource says how it is closed")
