# SPDX-License-Identifier: GPL-2.0-only
"""512 pages of which one is written are collapsed into a huge page by khugepaged.

As MADV_COLLAPSE does at once (thp_collapse): collapse_huge_page() makes the entry with pmd_mkdirty(), which sets the
soft-dirty bit on x86. What userfaultfd has protected is not collapsed (hpage_collapse_scan_pmd() looks for the bit).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import TABLE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "what the kernel does by itself"
MOST_PLAYS = 3
WHY = {
    "soft-dirty": (
        "collapse_huge_page() makes the entry with pmd_mkdirty(), which sets the soft-dirty bit on x86: all 512 "
        "pages count (mm/khugepaged.c, 6.1 to 7.3)"
    ),
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(TABLE)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[100])
    stage.collapse_in_background(mapping)
    stage.collect()
