# SPDX-License-Identifier: GPL-2.0-only
"""Of a walk that delivers 700 ranges in one call, the caller resumes at walk_end until that is the end.

The kernel's buffer has 512 ranges. When it is full the walk pauses, with walk_end where it paused, and that is set to
the end only where it is still 0 (do_pagemap_scan() in fs/proc/task_mmu.c): walk_end stays behind what was delivered,
and who resumes there is told the last ranges twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"
WHY = {
    "any": (
        "do_pagemap_scan() in fs/proc/task_mmu.c sets walk_end to the end only where it is still 0, and a refill of "
        "its buffer of 512 ranges has set it before: Linux 6.7 to 7.3."
    )
}


def play(stage: Stage) -> None:
    """Every other page of 1400 is written; room is for all."""
    mapping = stage.map(1400)
    stage.track(mapping)
    stage.reset()
    for page in list(mapping)[::2]:
        stage.write(page)
    asker = Asker(stage)
    stage.judge(mapping, asker.walk(asker.written._replace(room=1000), mapping).pages())
