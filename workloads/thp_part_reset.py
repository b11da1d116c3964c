# SPDX-License-Identifier: GPL-2.0-only
"""A huge page is written, a part of it is reset, and pages within and without are written.

PAGEMAP_SCAN can't protect a part of a huge entry: pagemap_scan_thp_entry() splits it and goes on page by page. On one
6.12.y kernel the same without output (vec_len 0), as a reset is, oopsed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"


def play(stage: Stage) -> None:
    """All pages were written before; of the part, one is written after its reset."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset()
    stage.write(mapping)
    stage.reset(mapping[:16])
    stage.write(mapping[3])
    stage.collect()
