# SPDX-License-Identifier: GPL-2.0-only
"""What the running kernel's log has complained of since a run began."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from bench.plan import kernel_log
from bench.plan.records import Messages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

KMSG = "/dev/kmsg"
_RECORD = 8192  # bytes of one at most: PRINTKRB_RECORD_MAX and CONSOLE_EXT_LOG_MAX in kernel/printk


class KernelLog:
    """The running kernel's log from now on. Where reading it is refused, it says so: that is no error."""

    def __init__(self, path: str = KMSG) -> None:
        self._file, self._unreadable = -1, ""
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._file, 0, os.SEEK_END)
        except OSError as error:
            self._unreadable = f"{path}: {error.strerror}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file >= 0:
            os.close(self._file)

    def messages(self, boot: int) -> Messages:
        """Return what was complained of since."""
        lines = list(self._lines())
        return Messages(boot, *kernel_log.scan(lines), self._unreadable, len(lines))

    def _lines(self) -> Iterator[str]:
        """Yield the kernel's own lines, with time stamps as a console shows them."""
        while self._file >= 0:
            try:
                record = os.read(self._file, _RECORD)
            except BrokenPipeError:  # go on with what is there
                self._unreadable = "its oldest lines were overwritten before they could be read"
                continue
            except BlockingIOError:
                return
            except OSError as error:
                self._unreadable = f"{KMSG}: {error.strerror}"
                return
            if not record:
                return
            yield from _line(record.decode("utf-8", "replace"))


def _line(record: str) -> Iterator[str]:
    """A record of /dev/kmsg (Documentation/ABI/testing/dev-kmsg) as a line, unless a program wrote it."""
    head, _, text = record.partition(";")
    fields = head.split(",")
    if len(fields) >= 3 and fields[0].isdigit() and fields[2].isdigit() and int(fields[0]) < 8:  # facility 0: kernel
        microseconds = int(fields[2])
        yield f"[{microseconds // 1_000_000:5}.{microseconds % 1_000_000:06}] {text.splitlines()[0] if text else ''}"
