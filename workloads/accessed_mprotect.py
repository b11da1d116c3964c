# SPDX-License-Identifier: GPL-2.0-only
"""The program makes its memory read-only and writable again, then reads a page.

mprotect() recomputes entries and restores RWP's protection on top (change_present_ptes()); accessed bits stay
(pte_modify()).
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "mprotect-none": (
        "the program's own mprotect(2) sets aside the tracker's: what it makes accessible is read without a fault"
    ),
}


def play(stage: Stage) -> None:
    """One page is read."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.mprotect(mapping, PROT_READ)
    stage.mprotect(mapping, PROT_READ | PROT_WRITE)
    stage.read(mapping[3])
    stage.collect()
