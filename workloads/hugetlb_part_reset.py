# SPDX-License-Identifier: GPL-2.0-only
"""Part of a huge page of hugetlb memory is reset, though all of it was written before.

A huge page has one entry: it can't be protected in part. pagemap_scan_hugetlb_entry() (fs/proc/task_mmu.c) says so and
protects nothing: "Partial HugeTLB page WP isn't possible". The page stays reported, which is safe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "hugetlb"


def play(stage: Stage) -> None:
    """One huge page is written, then a part is reset."""
    mapping = stage.map_hugetlb(2)
    small = mapping.small(stage.page_size)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[1])
    stage.reset(small[512:528])
    stage.changed(mapping[1])
    stage.collect()
