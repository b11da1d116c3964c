# SPDX-License-Identifier: GPL-2.0-only
"""A fresh read-only neighbour becomes writable by mprotect and merges into the tracked mapping.

The merged VMA takes the flags of the one whose protection changes, so the neighbour's VM_SOFTDIRTY spreads over the
tracked pages. As in merge_mmap_after, one page was written.
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "merged areas"


def play(stage: Stage) -> None:
    """One page is written, then the neighbour is made alike."""
    place = stage.reserve(16)
    mapping = stage.map(place[:8])
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2])
    fresh = stage.map(place[8:], protection=PROT_READ)
    stage.mprotect(fresh, PROT_READ | PROT_WRITE)
    stage.expanded(mapping)
    stage.collect()
