# SPDX-License-Identifier: GPL-2.0-only
"""Part of a clean huge page is given back by MADV_DONTNEED, and a page elsewhere in it is written.

The entry is split first (__split_huge_pmd_locked()), and the 496 pages that stay have the huge page's bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"
WHY = {"soft-dirty": "as thp_split"}


def play(stage: Stage) -> None:
    """One page is written, sixteen went away."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset()
    stage.drop(mapping[:16])
    stage.write(mapping[100])
    stage.collect()
