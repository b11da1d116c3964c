# SPDX-License-Identifier: GPL-2.0-only
"""Fresh mappings come and go on both sides of the tracked one, behind PROT_NONE guards.

A VMA of other permissions stands between, so nothing merges (can_vma_merge_after(), mm/vma.c): how a tracker can
avoid the noise of merge_mmap_after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "merged areas"


def play(stage: Stage) -> None:
    """One page is written, then there are new mappings a guard page away."""
    place = stage.reserve(26)
    mapping = stage.map(place[9:17])
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2])
    for _ in range(10):
        stage.map(place[:8])
        stage.map(place[18:])
    stage.collect()
