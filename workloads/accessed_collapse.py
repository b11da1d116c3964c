# SPDX-License-Identifier: GPL-2.0-only
"""512 pages, one of them read, are collapsed into a huge page by MADV_COLLAPSE.

An entry that RWP protects keeps its area from being collapsed (SCAN_PTE_UFFD in mm/khugepaged.c). Else the new huge
entry is made as an accessed one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_NOHUGEPAGE, TABLE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """One page is read."""
    mapping = stage.map(TABLE, populate=False)
    stage.madvise(mapping, MADV_NOHUGEPAGE)  # an earlier play has allowed them
    stage.write(mapping)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[100])
    stage.collapse(mapping)
    stage.one_entry(mapping)
    stage.collect()
