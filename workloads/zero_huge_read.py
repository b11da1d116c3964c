# SPDX-License-Identifier: GPL-2.0-only
"""Memory whose huge zero page was read in before the reset: one byte is written.

do_huge_zero_wp_pmd() or the split to small zero pages answers the write (do_huge_pmd_wp_page() in mm/huge_memory.c).
Reading counts nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"
WHY = {
    "soft-dirty": (
        "since 1ced09e0331f (Linux 6.13) a write to the huge zero page gets a huge page, which has one soft-dirty bit"
    ),
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map_huge_zero()
    stage.track(mapping)
    stage.reset()
    stage.read(mapping)
    stage.write(mapping[100])
    stage.collect()
