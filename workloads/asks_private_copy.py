# SPDX-License-Identifier: GPL-2.0-only
"""A monitor of small virtual machines: which pages are no more the snapshot's that the guest was started from.

Guest memory is a private mapping of the snapshot's file; bit 61 of a pagemap entry, PAGE_IS_FILE, is lost when a write
makes a page of its own. Nothing is registered or reset: read so by monitors that copy what changed since the start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import FILE, PRESENT, SWAPPED, Asker, Query, copies_of

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "callers' queries"
QUERY = Query(all=FILE, anyof=PRESENT | SWAPPED, inverted=FILE, checked=False)


def play(stage: Stage) -> None:
    """Of 64 pages eight are read and three written."""
    mapping = copies_of(stage, stage.memfd(64), 64)
    stage.read(mapping[10:18])
    stage.write(mapping[20:22])
    stage.write(mapping[40])
    asker = Asker(stage, own=True)
    stage.judge(mapping, asker.walk(QUERY, mapping).pages())
