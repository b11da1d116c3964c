# SPDX-License-Identifier: GPL-2.0-only
"""A sandbox runtime's slot reset: a page that was written is swapped out before it is asked for.

Asked so in Wasmtime, crates/wasmtime/src/runtime/vm/sys/unix/pagemap.rs, reset_with_pagemap(), and asked about in its
pull request 14357: what is swapped out is SWAPPED and not PRESENT, so a question for PRESENT passes over it. From
Linux 7.3 on WRITTEN is true of registered memory alone, and the answer is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import FILE, PFNZERO, PRESENT, UNREGISTERED, WRITTEN, Asker, Query

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "callers' queries"
WHY = {
    "any": (
        "What is swapped out is SWAPPED and not PRESENT (pagemap.rst). And from Linux 7.3 on pagemap_page_category() "
        "in fs/proc/task_mmu.c reports PAGE_IS_WRITTEN in memory registered with userfaultfd alone."
    )
}
CLEAN = PFNZERO | FILE
QUERY = Query(all=WRITTEN | PRESENT | CLEAN, inverted=CLEAN, room=32, checked=False)


def play(stage: Stage) -> None:
    """Three of 64 fresh pages are written; two of them are swapped out."""
    asker = Asker(stage, own=True)
    mapping = stage.map(64, populate=False)
    stage.unchanged(mapping)
    stage.write(mapping[20:22])
    stage.write(mapping[40])
    stage.page_out(mapping[20:22])
    stage.may_miss(mapping, "a page that is swapped out is SWAPPED and not PRESENT (pagemap.rst)")
    stage.may_miss(mapping, UNREGISTERED)
    stage.judge(mapping, asker.walk(QUERY, mapping).pages())
