# SPDX-License-Identifier: GPL-2.0-only
"""One of two huge pages of private hugetlb memory is given back by MADV_DONTNEED and written again.

MADV_DONTNEED takes hugetlb memory since 90e7e7f5ef3f (Linux 5.18). __unmap_hugepage_range() keeps userfaultfd's
protection as a marker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "hugetlb"
WHY = {"clear_refs": "as hugetlb", "scan-softdirty": "as hugetlb"}


def play(stage: Stage) -> None:
    """One huge page is written after it went away."""
    mapping = stage.map_hugetlb(2)
    stage.track(mapping)
    stage.reset()
    stage.drop(mapping[1])
    stage.write(mapping[1])
    stage.collect()
