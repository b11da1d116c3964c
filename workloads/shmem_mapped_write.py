# SPDX-License-Identifier: GPL-2.0-only
"""Shared memory (memfd) mapped shared is written through the tracked mapping.

Shared memory is not written back, so its writes fault because of the tracking alone: vma_wants_writenotify() has
to ask for it (51d3d5eb74ff for userfaultfd, January 2023).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "shared memory and files"


def play(stage: Stage) -> None:
    """One page is written."""
    backing = stage.memfd(8)
    mapping = stage.map(8, backing=backing)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2])
    stage.collect()
