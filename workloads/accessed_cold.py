# SPDX-License-Identifier: GPL-2.0-only
"""Pages are read, and then said to be cold by MADV_COLD.

MADV_COLD (Linux 5.4) clears the accessed bits and the mark of the pages (madvise_cold_or_pageout_pte_range()): who
looks at those does not learn that they were read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_COLD

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "young": (
        "madvise_cold_or_pageout_pte_range() (mm/madvise.c) clears the accessed bits, and the mark, of what "
        "it is told is cold, on all kernels"
    ),
}


def play(stage: Stage) -> None:
    """Four pages were read."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[1:5])
    stage.madvise(mapping[3:5], MADV_COLD)
    stage.collect()
