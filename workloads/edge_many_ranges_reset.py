# SPDX-License-Identifier: GPL-2.0-only
"""As edge_many_ranges, but each call resets what it reports: a range told twice would need another write.

do_pagemap_scan() in fs/proc/task_mmu.c leaves walk_end behind what was delivered after more than 512 ranges; where the
pages were reset on the way, the second call finds nothing there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"


def play(stage: Stage) -> None:
    """Every other page of 1400 is written; room is for all."""
    mapping = stage.map(1400)
    stage.track(mapping)
    stage.reset()
    for page in list(mapping)[::2]:
        stage.write(page)
    asker = Asker(stage)
    query = asker.written._replace(room=1000, protect=True)
    stage.judge(mapping, asker.walk(query, mapping).pages())
    stage.unchanged(mapping)
    stage.judge(mapping, asker.walk(query, mapping).pages())
