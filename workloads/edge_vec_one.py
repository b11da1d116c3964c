# SPDX-License-Identifier: GPL-2.0-only
"""Every call of an atomic get and reset has room for one range only.

The walk stops at the first page that does not fit, leaves it as it is and says so in walk_end (pagemap_scan_output()
in fs/proc/task_mmu.c): who resumes there gets every range once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"


def play(stage: Stage) -> None:
    """Four ranges are written; then nothing may be left."""
    mapping = stage.map(16)
    stage.track(mapping)
    stage.reset()
    for first in (1, 4, 9, 15):
        stage.write(mapping[first : first + 2])
    asker = Asker(stage)
    stage.judge(mapping, asker.walk(asker.written._replace(room=1, protect=True), mapping).pages())
    stage.unchanged(mapping)
    stage.judge(mapping, asker.walk(asker.written._replace(room=1), mapping).pages())
