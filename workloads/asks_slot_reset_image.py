# SPDX-License-Identifier: GPL-2.0-only
"""A sandbox runtime's slot reset: the same question about memory that starts with a file's content.

Asked so in Wasmtime, crates/wasmtime/src/runtime/vm/sys/unix/pagemap.rs, reset_with_pagemap(), of a private mapping of
an initial image: a page that is no more the file's is one that was written. From Linux 7.3 on WRITTEN is true of
registered memory alone, and the answer is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import FILE, PFNZERO, PRESENT, UNREGISTERED, WRITTEN, Asker, Query, copies_of

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "callers' queries"
WHY = {"any": "as asks_slot_reset"}
CLEAN = PFNZERO | FILE
QUERY = Query(all=WRITTEN | PRESENT | CLEAN, inverted=CLEAN, room=32, checked=False)


def play(stage: Stage) -> None:
    """Of 64 pages eight are read and three written."""
    mapping = copies_of(stage, stage.memfd(64), 64)
    stage.read(mapping[10:18])
    stage.write(mapping[20:22])
    stage.write(mapping[40])
    stage.may_miss(mapping, UNREGISTERED)
    asker = Asker(stage, own=True)
    stage.judge(mapping, asker.walk(QUERY, mapping).pages())
