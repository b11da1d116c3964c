# SPDX-License-Identifier: GPL-2.0-only
"""One of two huge pages of private hugetlb memory is given back by MADV_DONTNEED and read.

As dontneed_read, with pages of 2 MiB: the page is zero, and nobody wrote.
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
    """The content of one huge page changes."""
    mapping = stage.map_hugetlb(2)
    stage.track(mapping)
    stage.reset()
    stage.drop(mapping[1])
    stage.read(mapping[1])
    stage.collect()
