# SPDX-License-Identifier: GPL-2.0-only
"""One byte of a transparent huge page is written.

As accessed_thp_byte: RWP does not split a huge page, where userfaultfd's write protection does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset_afresh()
    stage.write(mapping[100])
    stage.one_entry(mapping)
    stage.collect()
