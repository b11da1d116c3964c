# SPDX-License-Identifier: GPL-2.0-only
"""One page of shared memory that is not mapped yet is read: the kernel maps its neighbours too.

do_fault_around() fills up to 16 entries whose pages are in the page cache. On x86 they are made as accessed ones, and
none of them is protected: RWP protects what is present when it is told to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "young": (
        "do_fault_around() (mm/memory.c) maps what is in the page cache, and set_pte_range() makes those "
        "entries accessed ones, but where arch_wants_old_prefaulted_pte(), which is arm64; on all kernels"
    ),
}


def play(stage: Stage) -> None:
    """One page of 32."""
    backing = stage.memfd(32)
    for page in range(32):
        stage.pwrite(backing, page)
    mapping = stage.map(32, backing=backing, populate=False)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[20])
    stage.filled(mapping)
    stage.collect()
