# SPDX-License-Identifier: GPL-2.0-only
"""A transparent huge page moves by mremap.

move_huge_pmd() marks the entry it moves soft-dirty (move_soft_dirty_pmd()), as move_ptes() does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import TABLE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "moves"


def play(stage: Stage) -> None:
    """All pages are new at their new address."""
    mapping = stage.map_huge()
    to = stage.reserve(TABLE)
    stage.track(mapping)
    stage.reset()
    stage.mremap(mapping, to)
    stage.unmapped(to)
    stage.collect()
