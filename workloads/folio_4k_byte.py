# SPDX-License-Identifier: GPL-2.0-only
"""One byte of ordinary pages, as a control is written after a reset.

The control of the scenarios beside it: the same on pages of order 0, where nothing is batched. wp_page_reuse() makes
one entry writable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "multi-size huge pages"


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map_folio(4)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[1])
    stage.collect()
