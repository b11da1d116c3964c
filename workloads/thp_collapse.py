# SPDX-License-Identifier: GPL-2.0-only
"""512 pages of which one is written are collapsed into a huge page by MADV_COLLAPSE.

MADV_COLLAPSE exists since 7d8faaf15545 (Linux 6.1); khugepaged does the same in the background. collapse_huge_page()
makes the entry with pmd_mkdirty(), which sets the soft-dirty bit: all 512 pages count as written. What userfaultfd
has protected is not collapsed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import TABLE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(TABLE)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[100])
    stage.collapse(mapping)
    stage.one_bit(mapping)
    stage.collect()
