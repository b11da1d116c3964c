# SPDX-License-Identifier: GPL-2.0-only
"""The buffer has room for exactly the ranges that there are.

Only a page that does not fit ends a walk early (pagemap_scan_push_range() in fs/proc/task_mmu.c): here it reaches the
end, walk_end says so, and who asks until it does asks once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"


def play(stage: Stage) -> None:
    """Four ranges are written."""
    mapping = stage.map(16)
    stage.track(mapping)
    stage.reset()
    for page in list(mapping)[1::4]:
        stage.write(page)
    asker = Asker(stage)
    answer = asker.must(asker.written._replace(room=4, protect=True), mapping)
    stage.judge(mapping[: (answer.stopped - mapping.address) // mapping.size], answer.pages())
    stage.unchanged(mapping)
    stage.collect()
