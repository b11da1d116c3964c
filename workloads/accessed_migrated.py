# SPDX-License-Identifier: GPL-2.0-only
"""Pages are moved to another NUMA node after one was read.

Entries go through migration and come back: with the accessed bit since 2e3468778dbe (Linux 6.2), with RWP's protection
(remove_migration_pte()).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """One page is read."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[3])
    stage.move_to_node(mapping, 1)
    stage.collect()
