# SPDX-License-Identifier: GPL-2.0-only
"""The program makes its memory inaccessible and accessible again, then reads a page.

As accessed_mprotect, by way of the protection that RWP itself uses: the uffd bit tells one from the other.
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

from bench.measure.memory import PROT_NONE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "mprotect-none": "as accessed_mprotect",
}


def play(stage: Stage) -> None:
    """One page is read."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.mprotect(mapping, PROT_NONE)
    stage.mprotect(mapping, PROT_READ | PROT_WRITE)
    stage.read(mapping[3])
    stage.collect()
