# SPDX-License-Identifier: GPL-2.0-only
"""Two pages are given back by MADV_DONTNEED and then read: they are zero.

Their content changed, and a copy of them is stale. The soft-dirty bit is lost with the page table's entry; for
PAGEMAP_SCAN an entry without write protection is WRITTEN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"


def play(stage: Stage) -> None:
    """The content of two pages changes, and nobody wrote."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.drop(mapping[2:4])
    stage.read(mapping[2:4])
    stage.collect()
