# SPDX-License-Identifier: GPL-2.0-only
"""The mapping moves by mremap with its whole page table: 2 MiB from and to a multiple of 2 MiB.

move_normal_pmd() (2c91bd4a4e2e, Linux 5.0) moves the page table as it is and marks nothing, where move_ptes() marks
all. Whether a move is reported depends on its alignment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import TABLE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "moves"
WHY = {
    "soft-dirty": (
        "move_normal_pmd() (2c91bd4a4e2e, Linux 5.0) moves a whole page table and marks nothing, where move_ptes() "
        "marks all that it moves (0f8975ec4db2): on all kernels since, 7.3 included"
    ),
}


def play(stage: Stage) -> None:
    """All pages are new at their new address."""
    mapping = stage.map(TABLE)
    to = stage.reserve(TABLE)
    stage.track(mapping)
    stage.reset()
    stage.mremap(mapping, to)
    stage.unmapped(to)
    stage.collect()
