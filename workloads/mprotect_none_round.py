# SPDX-License-Identifier: GPL-2.0-only
"""The program makes its memory inaccessible and accessible again, then writes one page.

As mprotect_round, by way of PROT_NONE, as garbage collectors and guard pages do: entries are no longer present for the
hardware and keep their bits of tracking (pte_modify()).
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

from bench.measure.memory import PROT_NONE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "protection"
WHY = {"mprotect": "as mprotect_round"}


def play(stage: Stage) -> None:
    """One page is written after the round."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.mprotect(mapping, PROT_NONE)
    stage.mprotect(mapping, PROT_READ | PROT_WRITE)
    stage.write(mapping[3])
    stage.collect()
