# SPDX-License-Identifier: GPL-2.0-only
"""The program forks; the child writes, and the parent collects.

The child writes to its own copy. The parent's memory does not change, and nothing may be reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "fork"


def play(stage: Stage) -> None:
    """Nobody wrote to the parent's memory."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.fork().write(mapping[3])
    stage.collect()
