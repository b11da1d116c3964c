# SPDX-License-Identifier: GPL-2.0-only
"""Every call of an atomic get and reset may report one page only, in the middle of what was written.

The page at which max_pages is reached is the last one that is protected; the others of its range wait for the next call
(pagemap_scan_output() in fs/proc/task_mmu.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"


def play(stage: Stage) -> None:
    """Six pages are written, five of them side by side; then nothing may be left."""
    mapping = stage.map(16)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[3:8])
    stage.write(mapping[12])
    asker = Asker(stage)
    query = asker.written._replace(protect=True, max_pages=1)
    stage.judge(mapping, asker.walk(query, mapping).pages())
    stage.unchanged(mapping)
    stage.judge(mapping, asker.walk(query, mapping).pages())
