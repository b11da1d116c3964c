# SPDX-License-Identifier: GPL-2.0-only
"""A page that was pinned before the reset is read into, as an io_uring's buffer.

The kernel writes to a pinned page by its physical address, past the page table and every protection in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "any": (
        "the kernel writes to a pinned page by its physical address "
        "(Documentation/core-api/pin_user_pages.rst): no entry of a page table learns of that, on any kernel"
    ),
}


def play(stage: Stage) -> None:
    """One page is written; another one is pinned and not accessed."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.pin(mapping[3:5])
    stage.reset_afresh()
    stage.read_into_pinned(mapping[3])
    stage.collect()
