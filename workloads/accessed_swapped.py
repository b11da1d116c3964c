# SPDX-License-Identifier: GPL-2.0-only
"""Pages are swapped out after a reset, and one is read back.

RWP's protection goes with the entry to swap and comes back with it (do_swap_page()): the first access after swap-in is
a fault. The CPU's accessed bit is set for what is swapped in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """One page."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.page_out(mapping)
    stage.read(mapping[5])
    stage.collect()
