# SPDX-License-Identifier: GPL-2.0-only
"""Pages are written, and others are read.

A write is an access, too. To memory that is protected against any access the first one is a fault, whichever it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """Two pages are written, two read, one both."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.write(mapping[1:3])
    stage.read(mapping[2:5])
    stage.collect()
