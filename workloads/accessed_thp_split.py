# SPDX-License-Identifier: GPL-2.0-only
"""A huge page is split after a reset, and then one of its small pages is read.

Each entry of a page table that replaces the huge one has its bits (__split_huge_pmd_locked()): RWP restores its
protection to all of them.
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """One page is read."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset_afresh()
    stage.mprotect(mapping[:1], PROT_READ)
    stage.mprotect(mapping[:1], PROT_READ | PROT_WRITE)
    stage.read(mapping[100])
    stage.collect()
