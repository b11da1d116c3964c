# SPDX-License-Identifier: GPL-2.0-only
"""A page is read, reset and read again in a tight loop on one CPU.

A CPU sets the accessed bit when it fills its TLB from the page table. clear_refs 1 clears the bits and flushes no TLB
(clear_refs_write() in fs/proc/task_mmu.c does for 4 alone): an entry from the first read lets the second through, and
no bit is set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """Twenty rounds; each second read must be reported."""
    mapping = stage.map(2)
    stage.track(mapping)
    stage.reset()
    stage.reread_at_once(mapping[0])
