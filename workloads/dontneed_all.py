# SPDX-License-Identifier: GPL-2.0-only
"""A whole page table's pages are given back by MADV_DONTNEED, and one of them is written again.

zap_pte_range() may free the page table that it has emptied (6375e95f381e, Linux 6.14, on x86-64): what is left is a
hole of 512 pages, as in holes_tables, and not 512 entries that are empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import TABLE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"
WHY = {"uffd-sync": "as free_taken"}


def play(stage: Stage) -> None:
    """One page is written, all others went away."""
    mapping = stage.map(TABLE)
    stage.track(mapping)
    stage.reset()
    stage.drop(mapping)
    stage.write(mapping[100])
    stage.collect()
