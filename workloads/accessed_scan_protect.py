# SPDX-License-Identifier: GPL-2.0-only
"""PAGEMAP_SCAN is told to protect what it reports on memory that is registered for RWP.

PM_SCAN_WP_MATCHING, which makes get and reset one call, is for write protection. Whoever asks so must be answered or
refused: an answer without a page that was accessed is neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import ACCESSED, Asker, Query

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "rwp-async": (
        "pagemap_scan_test_walk() (fs/proc/task_mmu.c) passes by what has no asynchronous write protection "
        'where it is to protect, "and allows silently skipping unsupported vmas": nothing is reported, '
        "nothing protected, and the call succeeds; Linux 7.3.4. With PM_SCAN_CHECK_WPASYNC it is EPERM"
    ),
}


def play(stage: Stage) -> None:
    """One page is read."""
    asker = Asker(stage, accessed=True)
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[3])
    answer = asker.must(Query(all=ACCESSED, returned=ACCESSED, protect=True, checked=False), mapping)
    stage.judge(mapping, answer.pages())
