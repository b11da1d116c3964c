# SPDX-License-Identifier: GPL-2.0-only
"""The program forks with hugetlb memory, and the parent writes one of two huge pages.

hugetlb_wp() (mm/hugetlb.c) copies the page, or takes it away from the child where none is left. The registration with
userfaultfd stays with the parent; copy_hugetlb_page_range() must keep the parent's protection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "fork"
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
    """One huge page is written."""
    mapping = stage.map_hugetlb(2)
    stage.track(mapping)
    stage.reset()
    stage.fork()
    stage.write(mapping[1])
    stage.collect()
