# SPDX-License-Identifier: GPL-2.0-only
"""A range that ends where it starts is asked, and reset.

There is nothing to walk: 0 ranges, no error (pagemap_scan_get_args() in fs/proc/task_mmu.c), and nothing is reset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"


def play(stage: Stage) -> None:
    """The page at the place was written, and stays so."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[3:5])
    asker = Asker(stage)
    stage.judge(mapping[3:3], asker.must(asker.written._replace(protect=True), mapping[3:3]).pages())
    stage.judge(mapping, asker.must(asker.written, mapping).pages())
