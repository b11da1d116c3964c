# SPDX-License-Identifier: GPL-2.0-only
"""A range ends within a page.

The end is rounded up (pagemap_scan_get_args() in fs/proc/task_mmu.c; the start must be aligned): the page is reported
and reset whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"


def play(stage: Stage) -> None:
    """Three pages are written; one byte of the second is asked for, and then nothing but the third is left."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2:5])
    asker = Asker(stage)
    query = asker.written._replace(protect=True)
    stage.judge(mapping[:4], asker.must(query, mapping, length=3 * mapping.size + 1).pages())
    stage.unchanged(mapping[:4])
    stage.judge(mapping, asker.must(query, mapping).pages())
