# SPDX-License-Identifier: GPL-2.0-only
"""Ordinary pages, as a control made read-only and writable again after a reset, then one is written.

The control of the scenarios beside it: the same on pages of order 0, where nothing is batched. mprotect changes entries
of one folio in a batch (cac1db8c3aad, Linux 6.17), and may make them writable at once: not those that are tracked
(can_change_pte_writable()).
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "multi-size huge pages"
WHY = {
    "mprotect": "the program's own mprotect makes writable what was protected, as in mprotect_round",
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map_folio(4)
    stage.track(mapping)
    stage.reset()
    stage.mprotect(mapping, PROT_READ)
    stage.mprotect(mapping, PROT_READ | PROT_WRITE)
    stage.write(mapping[5])
    stage.collect()
