# SPDX-License-Identifier: GPL-2.0-only
"""The second half of a range is not registered: a reset with PM_SCAN_CHECK_WPASYNC fails half-way.

pagemap_scan_test_walk() in fs/proc/task_mmu.c refuses at the first VMA that is not WP_ASYNC; the pages before it are
protected by then, and what was written to them is told nobody. pagemap.rst says that the flag aborts the operation.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from bench.measure.queries import FAILED_CALL, Asker, refused

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"
WHY = {
    "any": (
        "pagemap_scan_test_walk() in fs/proc/task_mmu.c refuses when the walk comes to the VMA; what it met before "
        "stays protected: Linux 6.7 to 7.3."
    )
}


def play(stage: Stage) -> None:
    """Two pages are written, then the range is reset, then the registered half asked."""
    mapping = stage.map(16)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2:4])
    stage.map(mapping[8:])
    asker = Asker(stage)
    query = asker.written._replace(protect=True)
    stage.may_miss(mapping, FAILED_CALL)
    refused(asker.ask(query, mapping), errno.EPERM)
    stage.judge(mapping[:8], asker.must(query, mapping[:8]).pages())
