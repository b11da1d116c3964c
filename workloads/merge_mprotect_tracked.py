# SPDX-License-Identifier: GPL-2.0-only
"""The tracked mapping becomes writable again by mprotect and merges into a fresh neighbour.

As merge_mprotect_fresh, in the other order. Up to Linux 6.18 the neighbour's VM_SOFTDIRTY is lost, which happens to
be right for the tracked pages (and wrong for the neighbour's: merge_renewed_last); 6707915e030a ("mm: propagate
VM_SOFTDIRTY on merge", posted November 2025) spreads it over them.
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "merged areas"


def play(stage: Stage) -> None:
    """One page is written; the mapping is read-only while the neighbour comes, so that it merges only then."""
    place = stage.reserve(16)
    mapping = stage.map(place[:8])
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2])
    stage.mprotect(mapping, PROT_READ)
    stage.map(place[8:])
    stage.mprotect(mapping, PROT_READ | PROT_WRITE)
    stage.expanded(mapping)
    stage.collect()
