# SPDX-License-Identifier: GPL-2.0-only
"""A clean huge page is split by mprotect of a part of it, then one byte is written.

__split_huge_pmd_locked() hands the huge page's dirty bit to all 512 entries (0ccf7f168e17, Linux 6.1, in part
reverted and done again later), and pte_mkdirty() sets the soft-dirty bit too on x86: its comment says so. All pages
count as written.
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"
WHY = {
    "soft-dirty": (
        "__split_huge_pmd_locked() hands the huge page's dirty bit to all its entries by pte_mkdirty(), which sets "
        "the soft-dirty bit too on x86 (0ccf7f168e17): all count as written; seen from 6.12 on, not on Debian's 6.1"
    ),
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset()
    stage.mprotect(mapping[:16], PROT_READ)
    stage.mprotect(mapping[:16], PROT_READ | PROT_WRITE)
    stage.write(mapping[100])
    stage.collect()
