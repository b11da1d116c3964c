# SPDX-License-Identifier: GPL-2.0-only
"""A page is written, then swapped out; nobody touches it before the collect.

What was written must stay reported while it is in swap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "what the kernel does by itself"


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[5])
    stage.page_out(mapping)
    stage.collect()
