# SPDX-License-Identifier: GPL-2.0-only
"""Tracked memory is put into a pipe by vmsplice(2), and read from that.

The pipe holds the pages themselves (get_user_pages_fast()): what comes out is read by their physical addresses.
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
    """Two pages are read past the page table."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.vmsplice(mapping[3:5])
    stage.collect()
