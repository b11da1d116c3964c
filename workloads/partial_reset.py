# SPDX-License-Identifier: GPL-2.0-only
"""Half of the mapping is reset, then a page of each half is written.

PAGEMAP_SCAN resets any range. v6's CLEAR split the VMA at the range's end, to clear VM_SOFTDIRTY on one side only.
What was written before in the other half still counts. clear_refs has no smaller unit than the process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "plain writes"


def play(stage: Stage) -> None:
    """Both halves have a page written before and one written after the partial reset."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[1])
    stage.write(mapping[5])
    stage.reset(mapping[:4])
    stage.write(mapping[2])
    stage.write(mapping[6])
    stage.collect()
