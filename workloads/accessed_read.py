# SPDX-License-Identifier: GPL-2.0-only
"""Pages are read, one of them in each of two intervals.

RWP reports a page once its uffd bit is gone, which a fault by any access takes away (PAGE_IS_ACCESSED, pagemap.rst,
Linux 7.3). The accessed bits of page tables are set by the CPU, and cleared by clear_refs 1, page_idle and DAMON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """Pages 1 and 5, then page 5."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[1])
    stage.read(mapping[5])
    stage.collect()
    stage.reset_afresh()
    stage.read(mapping[5])
    stage.collect()
