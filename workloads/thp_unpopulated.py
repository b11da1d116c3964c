# SPDX-License-Identifier: GPL-2.0-only
"""Memory for huge pages that was never touched is reset, then one byte of it is written.

PAGEMAP_SCAN leaves markers of small pages in it, and the first write makes a small page. clear_refs leaves nothing
behind, and the write may make a huge page, of which all is marked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import TABLE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"
WHY = {"scan-wp": "as holes_tables", "uffd-sync": "as holes_pages"}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(TABLE, populate=False)
    stage.allow_huge(mapping)
    stage.track(mapping)
    stage.reset()
    stage.one_bit(mapping)
    stage.write(mapping[100])
    stage.collect()
