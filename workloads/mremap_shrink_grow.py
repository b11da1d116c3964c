# SPDX-License-Identifier: GPL-2.0-only
"""The mapping shrinks in place by mremap(2) and grows again; one page of each part is written.

What is cut off is unmapped, and what grows is a part of the VMA that was left: mremap extends it, and is one of the
"expanded regions" that soft-dirty.rst promises to mark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "moves"
WHY = {
    "soft-dirty": (
        "mremap(2) extends the area without VM_SOFTDIRTY (mm/mremap.c; mmap and brk set it), though soft-dirty.rst "
        'promises it for "expanded regions": what is new and not written yet is not told, on all kernels'
    ),
    "scan-wp": "as populate_read",
    "mprotect": (
        "the tracker's mprotect of one page splits the area, and mremap(2) can't grow a range of several areas: "
        "EFAULT, on all kernels"
    ),
}


def play(stage: Stage) -> None:
    """One page is written in what stayed; the rest is new, one page of it written."""
    mapping = stage.map(16)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2])
    stage.shrink_grow(mapping, 8)
    stage.unmapped(mapping[8:])
    stage.write(mapping[11])
    stage.collect()
