# SPDX-License-Identifier: GPL-2.0-only
"""Nothing is accessed between a reset and a collect, twice.

What resets and asks must not count as an access itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """No page."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.collect()
    stage.reset_afresh()
    stage.collect()
