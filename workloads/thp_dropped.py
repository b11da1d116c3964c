# SPDX-License-Identifier: GPL-2.0-only
"""A huge page is given back by MADV_DONTNEED, and one byte is written.

zap_huge_pmd() (mm/huge_memory.c) removes the entry, and its page table may go too. The write makes a new huge page, or
a small one: one small page was written, and 511 are zero now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"
WHY = {"uffd-sync": "as free_taken"}


def play(stage: Stage) -> None:
    """One page is written, all others went away."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset()
    stage.drop(mapping)
    stage.write(mapping[100])
    stage.collect()
