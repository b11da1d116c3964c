# SPDX-License-Identifier: GPL-2.0-only
"""Shared memory is moved to another NUMA node, before and after a write.

While a page is moved, its entry is a migration entry; remove_migration_pte() in mm/migrate.c makes the new one, and
takes the soft-dirty and the userfaultfd bit over (pte_swp_soft_dirty(), pte_swp_uffd_wp()). 51d3d5eb74ff (Linux 6.2) is
a fix of this for userfaultfd: pages of shared memory became writable again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "what the kernel does by itself"
WHY = {"soft-dirty": "as migrated"}


def play(stage: Stage) -> None:
    """Two pages are written."""
    mapping = stage.map(8, backing=stage.memfd(8))
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2])
    stage.move_to_node(mapping, 1)
    stage.write(mapping[5])
    stage.collect()
