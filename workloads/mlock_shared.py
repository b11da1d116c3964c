# SPDX-License-Identifier: GPL-2.0-only
"""The program locks shared memory (memfd) by mlock(2) after a reset, then writes one page.

populate_vma_page_range() (mm/gup.c) has FOLL_WRITE for private memory alone; shared pages are only read, "because these
don't COW and we would not want to dirty them for nothing".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "protection"


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8, backing=stage.memfd(8))
    stage.track(mapping)
    stage.reset()
    stage.mlock(mapping)
    stage.write(mapping[3])
    stage.collect()
