# SPDX-License-Identifier: GPL-2.0-only
"""One byte of a multi-size huge page of 64 KiB is read.

Its entries are those of small pages, each with an accessed bit and a protection of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """One page is read."""
    mapping = stage.map_folio(64)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[5])
    stage.collect()
