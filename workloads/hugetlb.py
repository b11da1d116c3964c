# SPDX-License-Identifier: GPL-2.0-only
"""One of two pages of hugetlb memory is written after a reset.

clear_refs skips hugetlb (clear_refs_pte_range() has no counterpart for it) and clears the VMA's flag alone. Pagemap's
bit 55 then reports no write at all, and PAGEMAP_SCAN's soft-dirty, which does look at the entry, reports every page
always. PAGE_IS_WRITTEN protects and reports huge pages as a whole. The huge page is the unit of truth here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "hugetlb"
WHY = {
    "clear_refs": (
        "clear_refs and pagemap's bit 55 leave hugetlb entries out: clear_refs_walk_ops has no hugetlb_entry, and "
        "pagemap_hugetlb_range() reports no soft-dirty bit, on all kernels"
    ),
    "scan-softdirty": (
        "PAGEMAP_SCAN reads the soft-dirty bit of a hugetlb entry (pagemap_hugetlb_category()), which clear_refs "
        "never clears: reported always"
    ),
}


def play(stage: Stage) -> None:
    """One of two huge pages is written, which is 512 pages of 4 KiB."""
    mapping = stage.map_hugetlb(2)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[1])
    stage.collect()
