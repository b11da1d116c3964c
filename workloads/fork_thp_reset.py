# SPDX-License-Identifier: GPL-2.0-only
"""The program forks with a huge page, is reset, and then child and parent write one byte each.

The reset finds a huge entry that is write-protected for copy-on-write already, and shared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "fork"
WHY = {"soft-dirty": "as thp_split"}


def play(stage: Stage) -> None:
    """The parent's write must be reported, the child's not."""
    mapping = stage.map_huge()
    stage.track(mapping)
    child = stage.fork()
    stage.reset()
    child.write(mapping[50])
    stage.write(mapping[100])
    stage.collect()
