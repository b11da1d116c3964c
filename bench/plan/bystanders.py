# SPDX-License-Identifier: GPL-2.0-only
"""The table of bystanders: what somebody does, while memory is tracked, who has nothing to do with it."""

from __future__ import annotations

from typing import NamedTuple


class Bystander(NamedTuple):
    """One of them. `outside`: it is another process, not a thread of the tracked one. Its C is bench/core/errands.c."""

    does: str
    outside: bool = False

    @property
    def who(self) -> str:
        """Who does what, in words."""
        return f"{'another process' if self.outside else 'a thread of the tracked process'}, {self.does}"


BYSTANDERS = {
    "mmap": Bystander("mmap, a touch, munmap"),
    "fault": Bystander("MADV_DONTNEED of a page and a touch"),
    "mprotect": Bystander("mprotect"),
    "smaps": Bystander("all of /proc/PID/smaps", outside=True),
    "pagemap": Bystander("one page table's part of /proc/PID/pagemap", outside=True),
}
