# SPDX-License-Identifier: GPL-2.0-only
"""A page is written, then all are moved to another NUMA node before the collect.

While a page is moved, its entry is a migration entry; remove_migration_pte() in mm/migrate.c makes the new one, and
takes the soft-dirty and the userfaultfd bit over (pte_swp_soft_dirty(), pte_swp_uffd_wp()). What was written must stay
reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "what the kernel does by itself"
WHY = {"soft-dirty": "as migrated"}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[3])
    stage.move_to_node(mapping, 1)
    stage.collect()
