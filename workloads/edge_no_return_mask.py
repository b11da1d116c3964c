# SPDX-License-Identifier: GPL-2.0-only
"""No category is asked to be returned: return_mask is 0.

Ranges have no categories then, and pages that differ in what was not asked for are one range (pagemap_scan_output() in
fs/proc/task_mmu.c). The fast path is not taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"


def play(stage: Stage) -> None:
    """A written page, one that was dropped and a clean one side by side."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2:5])
    asker = Asker(stage)
    query = asker.written._replace(returned=0, protect=True)
    stage.judge(mapping, asker.must(query, mapping).pages())
    stage.unchanged(mapping)
    stage.judge(mapping, asker.must(query, mapping).pages())
