# SPDX-License-Identifier: GPL-2.0-only
"""A huge page is moved to another NUMA node after a reset; nobody writes.

set_pmd_migration_entry() and remove_migration_pmd() in mm/huge_memory.c do for a huge page what remove_migration_pte()
does for a small one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "what the kernel does by itself"
WHY = {
    "soft-dirty": (
        "since 2e3468778dbe (Linux 6.1) remove_migration_pmd() makes the entry with pmd_mkdirty(), of which it "
        "says that it may set soft-dirty, and does not clear it again as remove_migration_pte() does "
        "(mm/huge_memory.c, 6.1 to 7.3)"
    ),
}


def play(stage: Stage) -> None:
    """Nothing is written."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset()
    stage.move_to_node(mapping[0], 1)
    stage.collect()
