# SPDX-License-Identifier: GPL-2.0-only
"""Part of a clean huge page becomes PROT_NONE and accessible again; pages of both parts are written.

change_huge_pmd() (mm/huge_memory.c) can't protect a part: the entry is split, as in thp_split, and what is inaccessible
for a while keeps its tracking bits.
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

from bench.measure.memory import PROT_NONE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"
WHY = {"soft-dirty": "as thp_split", "mprotect": "as mprotect_round"}


def play(stage: Stage) -> None:
    """One page is written in each part."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset()
    stage.mprotect(mapping[:16], PROT_NONE)
    stage.mprotect(mapping[:16], PROT_READ | PROT_WRITE)
    stage.write(mapping[3])
    stage.write(mapping[100])
    stage.collect()
