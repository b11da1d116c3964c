# SPDX-License-Identifier: GPL-2.0-only
"""A sandbox runtime's slot reset: which pages of memory that nobody registered were written since it was mapped.

Asked so in Wasmtime, crates/wasmtime/src/runtime/vm/sys/unix/pagemap.rs, reset_with_pagemap(): WRITTEN and PRESENT,
neither PFNZERO nor FILE, nothing returned, vec_len 32, max_pages the budget of pages to keep; what the walk did not
reach is dropped. Before Linux 7.3 WRITTEN is true of all that is not registered, and the other masks give the answer;
from 7.3 on it is documented and true for registered memory alone, and the answer is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import FILE, PFNZERO, PRESENT, UNREGISTERED, WRITTEN, Asker, Query

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "callers' queries"
WHY = {
    "any": (
        "From Linux 7.3 on pagemap_page_category() in fs/proc/task_mmu.c reports PAGE_IS_WRITTEN in memory registered "
        "with userfaultfd alone; before, wherever the write-protect bit is absent."
    )
}
CLEAN = PFNZERO | FILE
QUERY = Query(all=WRITTEN | PRESENT | CLEAN, inverted=CLEAN, room=32, max_pages=16, checked=False)


def play(stage: Stage) -> None:
    """Of 64 fresh pages eight are read and three written."""
    mapping = stage.map(64, populate=False)
    stage.unchanged(mapping)
    stage.read(mapping[10:18])
    stage.write(mapping[20:22])
    stage.write(mapping[40])
    stage.may_miss(mapping, UNREGISTERED)
    asker = Asker(stage, own=True)
    answer = asker.must(QUERY, mapping)
    stage.judge(mapping[: (answer.stopped - mapping.address) // mapping.size], answer.pages())
