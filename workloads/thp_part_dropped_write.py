# SPDX-License-Identifier: GPL-2.0-only
"""Part of a clean huge page is given back by MADV_DONTNEED and written again.

As thp_part_dropped; the write is in the part that was dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"
WHY = {"soft-dirty": "as thp_split", "uffd-sync": "as free_taken"}


def play(stage: Stage) -> None:
    """One page is written, fifteen went away."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset()
    stage.drop(mapping[:16])
    stage.write(mapping[3])
    stage.collect()
