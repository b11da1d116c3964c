# SPDX-License-Identifier: GPL-2.0-only
"""Two pages of shared memory (memfd) are written, then a hole is punched over them.

What was written is gone, and what was there before too: a copy that has neither is right only by a reader who sees that
the pages are zero. The soft-dirty bits go with the entries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"


def play(stage: Stage) -> None:
    """The content of two pages changes twice."""
    backing = stage.memfd(8)
    mapping = stage.map(8, backing=backing)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2:4])
    stage.punch(backing, mapping[2:4], 2)
    stage.collect()
