# SPDX-License-Identifier: GPL-2.0-only
"""A hugetlb file, mapped shared, that was never populated is reset, and a huge page is written.

As hugetlb_untouched, with memory that can be shared, whose area has a lock of another kind (hugetlb_vma_lock_alloc()).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "hugetlb"
WHY = {"clear_refs": "as hugetlb"}


def play(stage: Stage) -> None:
    """One of two huge pages is written."""
    mapping = stage.map_hugetlb(2, populate=False, backing=stage.hugetlb_file(2))
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[1])
    stage.collect()
