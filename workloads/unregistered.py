# SPDX-License-Identifier: GPL-2.0-only
"""Half of the mapping is mapped anew, without registration, and scanned without PM_SCAN_CHECK_WPASYNC.

WRITTEN means that the userfaultfd write-protect bit is absent, and before Linux 7.3 it is absent in all memory that
is not registered: every page of it is reported, always. Who forgets the flag copies all of it in each interval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "userfaultfd"
WHY = {
    "scan-wp": (
        "before 7.3 PAGE_IS_WRITTEN is the absence of userfaultfd's bit, which memory that is not registered never "
        "has (pagemap_page_category(), fs/proc/task_mmu.c); 7.3 asks for the registration first"
    ),
}


def play(stage: Stage) -> None:
    """Nothing is written since the reset."""
    mapping = stage.map(16)
    stage.track(mapping)
    stage.reset()
    stage.map(mapping[8:])
    stage.unchanged(mapping[8:])
    asker = Asker(stage)
    stage.judge(mapping, asker.walk(asker.written._replace(checked=False), mapping).pages())
