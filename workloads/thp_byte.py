# SPDX-License-Identifier: GPL-2.0-only
"""One byte of a transparent huge page is written.

Soft-dirty has one bit for the huge page (clear_soft_dirty_pmd()): 512 pages are reported. A userfaultfd write fault
splits the huge page and counts the small one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[100])
    stage.one_bit(mapping)
    stage.collect()
