# SPDX-License-Identifier: GPL-2.0-only
"""The mapping moves by mremap after a page was read.

A userfaultfd registration without EVENT_REMAP is dropped, and its protection with it (move_ptes()); accessed bits move
with the entries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "mprotect-none": (
        "the page that was read is an area of its own since its handler gave it back, and mremap() takes "
        "areas of one kind alone before Linux 6.17 (EFAULT)"
    ),
}


def play(stage: Stage) -> None:
    """One page was read."""
    mapping = stage.map(8)
    to = stage.reserve(16)[8:]
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[3])
    stage.mremap(mapping, to)
    stage.unmapped(to)
    stage.collect()
