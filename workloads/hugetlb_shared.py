# SPDX-License-Identifier: GPL-2.0-only
"""One of two huge pages of a hugetlb file, mapped shared, is written after a reset.

As hugetlb, with a memfd of huge pages (MFD_HUGETLB): a virtual machine's memory.
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
    """One huge page is written."""
    mapping = stage.map_hugetlb(2, backing=stage.hugetlb_file(2))
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[1])
    stage.collect()
