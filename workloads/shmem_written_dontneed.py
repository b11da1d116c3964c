# SPDX-License-Identifier: GPL-2.0-only
"""A page of shared memory (memfd) is written, then its entry is dropped by MADV_DONTNEED.

What was written stays in the file and is there when the page is read again. zap_pte_range() removes the entry with its
soft-dirty bit; for PAGEMAP_SCAN an entry without write protection is WRITTEN. A program that uses MADV_DONTNEED to
shrink its page tables does this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_DONTNEED

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"
WHY = {
    "soft-dirty": (
        "zap_pte_range() (mm/memory.c) drops an entry of shared memory with its soft-dirty bit; the page keeps what "
        "was written, and a read maps it again as clean: a lost write, on all kernels"
    ),
}


def play(stage: Stage) -> None:
    """One page is written, and keeps what was written."""
    mapping = stage.map(8, backing=stage.memfd(8))
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2])
    stage.madvise(mapping[2:4], MADV_DONTNEED)
    stage.read(mapping[2:4])
    stage.collect()
