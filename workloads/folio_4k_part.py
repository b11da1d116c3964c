# SPDX-License-Identifier: GPL-2.0-only
"""Ordinary pages, as a control: all is written, half of it is reset, and one page of that written again.

The control of the scenarios beside it: the same on pages of order 0, where nothing is batched. The reset of a part ends
in the middle of the folio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "multi-size huge pages"


def play(stage: Stage) -> None:
    """The second half and one page of the first count."""
    mapping = stage.map_folio(4)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping)
    stage.reset(mapping[:8])
    stage.write(mapping[2])
    stage.collect()
