# SPDX-License-Identifier: GPL-2.0-only
"""The program makes its memory read-only and writable again, then writes one page.

can_change_pte_writable() must not make a page writable that tracking has protected: soft-dirty since 64fe24a3e05e
(Linux 6.0), userfaultfd since 51d3d5eb74ff (January 2023). A tracker that uses mprotect itself is disarmed by it.
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "protection"
WHY = {
    "mprotect": (
        "the program's own mprotect(2) sets aside the tracker's: what it makes writable is written without a fault"
    ),
}


def play(stage: Stage) -> None:
    """One page is written after the round."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.mprotect(mapping, PROT_READ)
    stage.mprotect(mapping, PROT_READ | PROT_WRITE)
    stage.write(mapping[3])
    stage.collect()
