# SPDX-License-Identifier: GPL-2.0-only
"""The program forks with a huge page, and the child writes one byte of its copy.

The child's entry is split and its page copied; the parent's memory does not change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "fork"


def play(stage: Stage) -> None:
    """Nobody wrote to the parent's memory."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset()
    stage.fork().write(mapping[100])
    stage.collect()
