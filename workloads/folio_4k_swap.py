# SPDX-License-Identifier: GPL-2.0-only
"""Ordinary pages, as a control: one page is written, all is swapped out, half is read back.

The control of the scenarios beside it: the same on pages of order 0, where nothing is batched. Reclaim unmaps a folio
in one go and swaps it out whole (5ed890ce5147, Linux 6.10); each swap entry keeps its own bits.
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
    stage.write(mapping[5])
    stage.page_out(mapping)
    stage.read(mapping[:4])
    stage.collect()
