# SPDX-License-Identifier: GPL-2.0-only
"""The heap grows by brk while part of it is tracked.

do_brk_flags() expands the heap's VMA and sets VM_SOFTDIRTY on all of it (d9104d1ca966, Linux 3.12; 34228d473efe):
every page of the heap counts as written each time malloc asks for more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "merged areas"


def play(stage: Stage) -> None:
    """One page of the heap is written, then the heap grows."""
    heap = stage.grow_heap(8)
    stage.track(heap)
    stage.reset()
    stage.write(heap[2])
    stage.grow_heap(8)
    stage.expanded(heap)
    stage.collect()
