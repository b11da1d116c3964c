# SPDX-License-Identifier: GPL-2.0-only
"""Pages are pinned after a reset, as a buffer registered with io_uring, and not accessed.

Who pins takes the page as an access does: get_user_pages() faults on what is protected. What is done with a pinned
page later is seen by nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "handlers": "as accessed_write_call",
}


def play(stage: Stage) -> None:
    """No page is accessed; two may be reported."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.pin(mapping[3:5])
    stage.may_report(mapping[3:5], "pin_user_pages.rst: a page is pinned to be accessed by its physical address")
    stage.collect()
