# SPDX-License-Identifier: GPL-2.0-only
"""Pages are moved to another NUMA node by move_pages(2), and one of them is written there.

While a page is moved, its entry is a migration entry; remove_migration_pte() in mm/migrate.c makes the new one, and
takes the soft-dirty and the userfaultfd bit over (pte_swp_soft_dirty(), pte_swp_uffd_wp()).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "what the kernel does by itself"
WHY = {
    "soft-dirty": (
        "since 2e3468778dbe (Linux 6.1) a page that is moved stays dirty by pte_mkdirty(), which sets the "
        "soft-dirty bit on x86; 6.1 leaves it so, 6.12 and later clear it again (remove_migration_pte() in "
        "mm/migrate.c)"
    ),
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.move_to_node(mapping, 1)
    stage.write(mapping[3])
    stage.collect()
