# SPDX-License-Identifier: GPL-2.0-only
"""Two threads write each page once while collect, and then reset, run, and updates are lost.

A write between the two calls is neither reported nor kept. That is why trackers stop the program (CRIU does) or want
an atomic call. How many are lost depends on the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "races"


def play(stage: Stage) -> None:
    """Pages that differ from the copy are lost updates."""
    mapping = stage.map(256)
    stage.track(mapping)
    stage.race_writers(atomic=False, may_miss="two calls leave a gap: the program must be stopped meanwhile")
