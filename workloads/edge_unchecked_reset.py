# SPDX-License-Identifier: GPL-2.0-only
"""Memory that is not registered is reset without PM_SCAN_CHECK_WPASYNC, which is no error, then a page is written.

pagemap_scan_test_walk() in fs/proc/task_mmu.c passes over memory that it can't protect: nothing is reset. Before Linux
7.3 all of it counts as written for ever, from then on none of it does. pagemap.rst describes PAGE_IS_WRITTEN for
registered memory alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import UNREGISTERED, Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"
WHY = {
    "any": (
        "PAGE_IS_WRITTEN is that the write-protect bit is absent, as it is in all memory that is not registered; from "
        "Linux 7.3 on pagemap_page_category() in fs/proc/task_mmu.c looks at registered memory alone."
    )
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8)
    asker = Asker(stage)
    query = asker.written._replace(checked=False)
    stage.may_report(mapping, UNREGISTERED)
    stage.may_miss(mapping, UNREGISTERED)
    asker.must(query._replace(protect=True), mapping)
    stage.unchanged(mapping)
    stage.write(mapping[3])
    stage.judge(mapping, asker.must(query, mapping).pages())
