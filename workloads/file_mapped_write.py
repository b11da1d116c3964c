# SPDX-License-Identifier: GPL-2.0-only
"""A regular file mapped shared is written through the tracked mapping.

Shared pages are made read-only by write-back too (vma_wants_writenotify()); tracking must not be undone by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "shared memory and files"


def play(stage: Stage) -> None:
    """One page is written."""
    backing = stage.file(8)
    mapping = stage.map(8, backing=backing)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2])
    stage.collect()
