# SPDX-License-Identifier: GPL-2.0-only
"""The program forks, the parent resets while it shares its pages with the child, then both write.

The reset finds pages that are write-protected for copy-on-write already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "fork"


def play(stage: Stage) -> None:
    """The parent's write must be reported, the child's not."""
    mapping = stage.map(8)
    stage.track(mapping)
    child = stage.fork()
    stage.write(mapping[5])
    stage.reset()
    child.write(mapping[3])
    stage.write(mapping[2])
    stage.collect()
