# SPDX-License-Identifier: GPL-2.0-only
"""Pages of shared memory (memfd) are given back by MADV_DONTNEED and read again.

Only the mapping's entries go; the file keeps the content, which the read maps again. Nothing changed. For files
zap_pte_range() leaves userfaultfd's write protection behind as a marker (999dad824c39, Linux 5.19).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_DONTNEED

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"


def play(stage: Stage) -> None:
    """Nobody wrote, and nothing changed."""
    mapping = stage.map(8, backing=stage.memfd(8))
    stage.track(mapping)
    stage.reset()
    stage.madvise(mapping[2:4], MADV_DONTNEED)
    stage.read(mapping[2:4])
    stage.collect()
