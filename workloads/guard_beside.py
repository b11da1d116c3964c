# SPDX-License-Identifier: GPL-2.0-only
"""Pages beside guard regions are reset and written; the guards stay.

Guards are entries (PTE_MARKER_GUARD, 662df3e5c376, Linux 6.13), no VMAs of their own as PROT_NONE is. Tracking must
neither report them, nobody can write to them, nor remove them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_GUARD_INSTALL

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"


def play(stage: Stage) -> None:
    """One page is written between two guards."""
    mapping = stage.map(8)
    stage.madvise(mapping[2], MADV_GUARD_INSTALL)
    stage.madvise(mapping[4], MADV_GUARD_INSTALL)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[3])
    stage.collect()
