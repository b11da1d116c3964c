# SPDX-License-Identifier: GPL-2.0-only
"""Two pages are given back by MADV_DONTNEED and then read: they are zero.

Their content changed, and a copy of them is stale. The soft-dirty bit is lost with the page table's entry; for
PAGEMAP_SCAN an entry without write protection is WRITTEN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_DONTNEED

if TYPE_CHECKING:
    from bench.measure.stage import Stage


def play(stage: Stage) -> None:
    """The content of two pages changes, and nobody wrote."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.madvise(mapping[2:4], MADV_DONTNEED)
    stage.changed(mapping[2:4])
    stage.may_miss(mapping[2:4], "no interface promises to report content that goes away without a write")
    stage.read(mapping[2:4])
    stage.collect()
