# SPDX-License-Identifier: GPL-2.0-only
"""Two pages are written, then freed by MADV_FREE; the kernel has not taken them yet.

madvise_free_pte_range() (mm/madvise.c) clears the entries' dirty and young bits, which is how the kernel notices a
later write. Those of tracking are others and must stay: until the kernel takes the pages they hold what was written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_FREE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"


def play(stage: Stage) -> None:
    """Two pages are written and still have their content."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2:4])
    stage.madvise(mapping[2:4], MADV_FREE)
    stage.read(mapping[2:4])
    stage.collect()
