# SPDX-License-Identifier: GPL-2.0-only
"""Reset, write some pages, collect: what every interface must get right.

No VMA changes, every page is present: the scenario against which all others are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "plain writes"


def play(stage: Stage) -> None:
    """Twice, since the second round finds what the first left behind."""
    mapping = stage.map(8)
    stage.track(mapping)
    for page in (1, 6):
        stage.reset()
        stage.write(mapping[page])
        stage.read(mapping)
        stage.collect()
