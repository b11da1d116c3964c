# SPDX-License-Identifier: GPL-2.0-only
"""MADV_POPULATE_WRITE is called on memory that was never touched and was reset.

As populate_write; here the pages are made by it, and are zero as before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "protection"
WHY = {
    "scan-wp": "as holes_tables",
    "uffd-sync": "as populate_write",
    "mprotect": "as populate_write",
}


def play(stage: Stage) -> None:
    """The content of no page changes."""
    mapping = stage.map(8, populate=False)
    stage.track(mapping)
    stage.reset()
    stage.populate_write(mapping[2:4])
    stage.may_report(mapping[2:4], "madvise(2): MADV_POPULATE_WRITE is as if manually writing to each page")
    stage.collect()
