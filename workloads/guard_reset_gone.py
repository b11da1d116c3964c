# SPDX-License-Identifier: GPL-2.0-only
"""A reset finds guard regions; they are removed afterwards, and one page is written.

Whether the reset has protected what is behind a guard can only be seen when the guard is gone. MADV_GUARD_REMOVE
(662df3e5c376, Linux 6.13) leaves empty entries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_GUARD_INSTALL, MADV_GUARD_REMOVE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"
WHY = {
    "uffd-sync": (
        "UFFDIO_WRITEPROTECT passes over guard markers (change_pte_range(), mm/mprotect.c), and MADV_GUARD_REMOVE "
        "leaves an empty entry without protection, on all kernels with guards (662df3e5c376, Linux 6.13)"
    ),
}


def play(stage: Stage) -> None:
    """One page is written; the other was zero before the guard and is after it."""
    mapping = stage.map(8, populate=False)
    stage.write(mapping[0])
    stage.madvise(mapping[2:4], MADV_GUARD_INSTALL)
    stage.track(mapping)
    stage.reset()
    stage.madvise(mapping[2:4], MADV_GUARD_REMOVE)
    stage.may_report(mapping[3], "what was a guard region is new memory, of which nothing is promised before a reset")
    stage.write(mapping[2])
    stage.collect()
