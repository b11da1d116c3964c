# SPDX-License-Identifier: GPL-2.0-only
"""A huge page of hugetlb memory was written, and each call may report and reset fewer pages than it has.

A part of it can't be protected: pagemap_scan_hugetlb_entry() in fs/proc/task_mmu.c takes back what it was about to
report, and says walk_end where the walk began. Who resumes there asks for ever; asked without a reset it is reported in
parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import TABLE, Pages
from bench.measure.queries import Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"
WHY = {
    "any": (
        "pagemap_scan_hugetlb_entry() in fs/proc/task_mmu.c: protecting a part of such a page is not possible, the "
        "walk ends where it began and reports nothing: Linux 6.7 to 7.3."
    )
}


def play(stage: Stage) -> None:
    """Each call may report 100 pages."""
    mapping = stage.map_hugetlb(2)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[0])
    asker = Asker(stage)
    small = Pages(mapping.address, TABLE * mapping.count, stage.page_size)
    stage.judge(small, asker.walk(asker.written._replace(max_pages=100, protect=True), small).pages())
    stage.judge(small, asker.walk(asker.written._replace(max_pages=100), small).pages())
