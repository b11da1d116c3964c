# SPDX-License-Identifier: GPL-2.0-only
"""A sandbox runtime's slot reset: more ranges were written than its buffer takes.

Asked so in Wasmtime, crates/wasmtime/src/runtime/vm/sys/unix/pagemap.rs, reset_with_pagemap(): 32 ranges are wiped, and
all behind walk_end is dropped with MADV_DONTNEED. What is neither reported nor behind walk_end keeps its content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import FILE, PFNZERO, PRESENT, Asker, Query

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "callers' queries"
CLEAN = PFNZERO | FILE
QUERY = Query(all=PRESENT | CLEAN, inverted=CLEAN, room=32, max_pages=256, checked=False)


def play(stage: Stage) -> None:
    """Every fourth page of 256 is written; the question has no WRITTEN, and so an answer on every kernel."""
    mapping = stage.map(256, populate=False)
    stage.unchanged(mapping)
    for page in list(mapping)[::4]:
        stage.write(page)
    asker = Asker(stage, own=True)
    answer = asker.must(QUERY, mapping)
    stage.judge(mapping[: (answer.stopped - mapping.address) // mapping.size], answer.pages())
