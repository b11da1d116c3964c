# SPDX-License-Identifier: GPL-2.0-only
"""Ordinary pages, as a control moved to another NUMA node after one was written.

The control of the scenarios beside it: the same on pages of order 0, where nothing is batched. A folio moves whole
(migrate_pages()); remove_migration_pte() restores entry by entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "multi-size huge pages"
WHY = {"soft-dirty": "as migrated"}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map_folio(4)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[5])
    stage.move_to_node(mapping, 1)
    stage.collect()
