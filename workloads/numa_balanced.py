# SPDX-License-Identifier: GPL-2.0-only
"""Pages on another node are read until NUMA balancing has moved them here; one is written.

change_prot_numa() unmaps pages now and then, do_numa_page() in mm/memory.c moves them where they are used and maps them
again. 51d3d5eb74ff (Linux 6.2) names this path as one that made protected entries writable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "what the kernel does by itself"
MOST_PLAYS = 1
WHY = {"soft-dirty": "as migrated"}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8)
    stage.move_to_node(mapping, 1)
    stage.track(mapping)
    stage.reset()
    stage.balance(mapping)
    stage.write(mapping[3])
    stage.collect()
