# SPDX-License-Identifier: GPL-2.0-only
"""A hole is punched into shared memory (memfd), and one of its pages is written.

The write allocates a new page in the file. Where a marker has kept userfaultfd's protection through the hole, it is one
write fault more, and must be reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"


def play(stage: Stage) -> None:
    """One page is written, another went away."""
    backing = stage.memfd(8)
    mapping = stage.map(8, backing=backing)
    stage.track(mapping)
    stage.reset()
    stage.punch(backing, mapping[2:4], 2)
    stage.write(mapping[2])
    stage.collect()
