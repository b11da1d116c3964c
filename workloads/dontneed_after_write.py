# SPDX-License-Identifier: GPL-2.0-only
"""Two pages are written, and then given back by MADV_DONTNEED.

The write is undone: the pages are zero. zap_pte_range() (mm/memory.c) removes the entries with their soft-dirty bits,
so that nothing tells of the write nor of its loss; for PAGEMAP_SCAN an entry without write protection is WRITTEN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"


def play(stage: Stage) -> None:
    """The content of two pages changes twice."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2:4])
    stage.drop(mapping[2:4])
    stage.collect()
