# SPDX-License-Identifier: GPL-2.0-only
"""A page is written, reset and written again in a tight loop on one CPU.

Where the reset flushes no TLB, the CPU's entry from the first write lets the second through, and the page table never
hears of it. clear_refs and PAGEMAP_SCAN flush (flush_tlb_mm(), flush_tlb_range()); v6's CLEAR did not ("v5: Remove
tlb flushing").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "races"


def play(stage: Stage) -> None:
    """Twenty rounds; each second write must be reported."""
    mapping = stage.map(2)
    stage.track(mapping)
    stage.reset()
    stage.rewrite_at_once(mapping[0])
