# SPDX-License-Identifier: GPL-2.0-only
"""Pages are pinned for writing after the reset, and the kernel writes to one: an io_uring buffer.

To pin is a write fault (FOLL_WRITE), whose bits stand for all writes to come: what is pinned may be written until it is
unpinned, so every pinned page counts. That is right for this interval; the next reset protects an entry that the writes
do not use (kernel_pinned).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "kernel writes"
WHY = {"handlers": "as kernel_read"}


def play(stage: Stage) -> None:
    """One page is written; another one is pinned and not written."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.pin(mapping[3:5])
    stage.may_report(mapping[4], "pages that are pinned for writing may be written at any time: they count as written")
    stage.read_into_pinned(mapping[3])
    stage.collect()
