# SPDX-License-Identifier: GPL-2.0-only
"""One byte of one of two hugetlb pages is read.

A hugetlb page is one page. clear_refs walks no hugetlb memory (clear_refs_walk_ops has no hugetlb_entry), and smaps'
Referenced does not count it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "clear_refs-1": (
        "clear_refs walks no hugetlb memory (clear_refs_walk_ops has no hugetlb_entry), and "
        "smaps_hugetlb_range() counts nothing as referenced (fs/proc/task_mmu.c), on all kernels"
    ),
}


def play(stage: Stage) -> None:
    """One huge page is read."""
    mapping = stage.map_hugetlb(2)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[1])
    stage.collect()
