# SPDX-License-Identifier: GPL-2.0-only
"""A reset without a buffer has a limit of one page.

max_pages limits the pages that are returned (include/uapi/linux/fs.h); where none is returned it limits nothing
(pagemap_scan_output() in fs/proc/task_mmu.c), and one call resets the whole range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"


def play(stage: Stage) -> None:
    """Four pages are written before the reset, one after it."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2:6])
    asker = Asker(stage)
    asker.must(asker.written._replace(room=0, protect=True, max_pages=1), mapping)
    stage.unchanged(mapping)
    stage.write(mapping[4])
    stage.judge(mapping, asker.must(asker.written, mapping).pages())
