# SPDX-License-Identifier: GPL-2.0-only
"""Pages are given back by MADV_DONTNEED and reset, then one of them is written.

The reset finds entries that are empty. PAGEMAP_SCAN must leave markers in them (WP_UNPOPULATED, 2bad466cc9d9, Linux
6.4), or it reports pages that nobody wrote since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"
WHY = {"uffd-sync": "as holes_pages"}


def play(stage: Stage) -> None:
    """One page is written after the reset."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.drop(mapping[2:6])
    stage.reset()
    stage.write(mapping[3])
    stage.collect()
