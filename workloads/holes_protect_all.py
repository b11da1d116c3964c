# SPDX-License-Identifier: GPL-2.0-only
"""Memory without a page table is reset by a scan that names no category, then one page is written.

As holes_tables; all matches here, holes too, so that PAGEMAP_SCAN leaves markers in them on all kernels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import TABLE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "new memory"


def play(stage: Stage) -> None:
    """One page of the second page table is written."""
    mapping = stage.map(2 * TABLE, populate=False)
    stage.track(mapping)
    stage.protect_all()
    stage.write(mapping[TABLE + 100])
    stage.collect()
