# SPDX-License-Identifier: GPL-2.0-only
"""A sandbox's memory file, asked for more than what was written: pages written and then zapped.

As asks_sandbox, but by masks that take the kernel's general path, of which gVisor's pkg/sentry/hostmm says that it is
wrong before 07b4377bdbe7 and 40de8160ca7f: a page table entry that is none had no PAGE_IS_WRITTEN there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_DONTNEED
from bench.measure.queries import PRESENT, WRITTEN, Asker, Query

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "callers' queries"
WHY = {
    "any": (
        "pagemap_page_category() in fs/proc/task_mmu.c had no PAGE_IS_WRITTEN for an entry that is none: Linux 6.7 to "
        "07b4377bdbe7 of July 2026, which 6.12.107, 6.18.44, 7.1.8 and 7.2 have."
    )
}
QUERY = Query(all=WRITTEN, returned=WRITTEN | PRESENT, room=512, protect=True)


def play(stage: Stage) -> None:
    """Five pages of shared memory are written; MADV_DONTNEED zaps two of them."""
    mapping = stage.map(64, backing=stage.memfd(64))
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[8:13])
    stage.madvise(mapping[10:12], MADV_DONTNEED)
    stage.judge(mapping, Asker(stage, own=True).walk(QUERY, mapping).pages())
