# SPDX-License-Identifier: GPL-2.0-only
"""A clean huge page has a part of it reset again, and a page of the rest is written.

Nothing of the part matches: it needs no protection, and the huge page no split.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset()
    stage.reset(mapping[:16])
    stage.write(mapping[100])
    stage.collect()
