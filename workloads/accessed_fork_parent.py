# SPDX-License-Identifier: GPL-2.0-only
"""The parent reads and writes its memory after a fork.

fork() makes the parent's entries read-only for copy-on-write and leaves the rest of them as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """Two pages are read, one is written."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.fork()
    stage.read(mapping[2:4])
    stage.write(mapping[5])
    stage.collect()
