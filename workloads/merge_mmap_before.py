# SPDX-License-Identifier: GPL-2.0-only
"""A fresh mapping is put directly before the tracked one, and the two VMAs merge.

As merge_mmap_after, in the other order: the VMA that grows begins elsewhere, and is another one in the kernel
(vma_merge). VM_SOFTDIRTY is ignored when VMAs are compared and set on what comes out (34228d473efe, Linux 3.14): all
old pages count as written. soft-dirty.rst announces it ("and expanded regions"); nobody wrote them, so they are extra
here. It is the noise of the v6 discussion, and PAGEMAP_NO_REUSED_REGIONS was meant to avoid it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "merged areas"


def play(stage: Stage) -> None:
    """One page is written, then the neighbour comes."""
    place = stage.reserve(16)
    mapping = stage.map(place[8:])
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2])
    stage.map(place[:8], populate=False)
    stage.expanded(mapping)
    stage.collect()
