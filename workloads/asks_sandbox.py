# SPDX-License-Identifier: GPL-2.0-only
"""A sandbox's memory file: what was written is harvested and protected again, after it was dropped from the page table.

Asked so in gVisor, pkg/sentry/hostmm, HarvestWritten(): WRITTEN alone, vec_len 512, PM_SCAN_WP_MATCHING and
PM_SCAN_CHECK_WPASYNC. Its comment says why: before 07b4377bdbe7 and 40de8160ca7f other masks report a page as clean
that was written and then zapped, though the file keeps its content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_DONTNEED
from bench.measure.queries import WRITTEN, Asker, Query

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "callers' queries"
QUERY = Query(all=WRITTEN, returned=WRITTEN, room=512, protect=True)


def play(stage: Stage) -> None:
    """Five pages of shared memory are written; MADV_DONTNEED zaps two of them."""
    mapping = stage.map(64, backing=stage.memfd(64))
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[8:13])
    stage.madvise(mapping[10:12], MADV_DONTNEED)
    asker = Asker(stage, own=True)
    stage.judge(mapping, asker.walk(QUERY, mapping).pages())
    stage.unchanged(mapping)
    stage.judge(mapping, asker.walk(QUERY, mapping).pages())
