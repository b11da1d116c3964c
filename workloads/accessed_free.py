# SPDX-License-Identifier: GPL-2.0-only
"""Pages are read, then given to MADV_FREE, which does not take them yet.

madvise_free_single_vma() clears the accessed bit of what it marks as free (pte_mkold() or clear_young_dirty_ptes()),
so that it ages: who looks at those bits does not learn that they were read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_FREE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "young": (
        "madvise_free_pte_range() (mm/madvise.c) clears the accessed bits of what it marks as free, on all kernels"
    ),
}


def play(stage: Stage) -> None:
    """Four pages were read."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[1:5])
    stage.madvise(mapping[3:5], MADV_FREE)
    stage.collect()
