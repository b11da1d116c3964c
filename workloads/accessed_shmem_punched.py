# SPDX-License-Identifier: GPL-2.0-only
"""Pages of shared memory are dropped from their file, and one of them is read again.

A hole that is punched drops the entries and their protection: what is filled in anew counts as accessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """One page."""
    backing = stage.memfd(8)
    mapping = stage.map(8, backing=backing)
    stage.track(mapping)
    stage.reset_afresh()
    stage.punch(backing, mapping[3:6], 3)
    stage.read(mapping[4])
    stage.filled(mapping[3:6])
    stage.collect()
