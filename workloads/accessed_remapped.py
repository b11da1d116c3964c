# SPDX-License-Identifier: GPL-2.0-only
"""Other memory is mapped over a part of what is tracked, and read.

The new memory was not registered, nor is it protected; where accessed bits count, it has its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """One page is read before, one after."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[1])
    stage.map(mapping[4:8], populate=False)
    stage.write(mapping[6])
    stage.unmapped(mapping[4:8])
    stage.collect()
