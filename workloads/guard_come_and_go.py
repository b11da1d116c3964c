# SPDX-License-Identifier: GPL-2.0-only
"""Guard regions are installed over pages by MADV_GUARD_INSTALL, removed, and one is written.

Installing them takes the pages away (662df3e5c376, Linux 6.13): after MADV_GUARD_REMOVE they are zero. A guard is a
marker in the entry, as userfaultfd's protection is (PTE_MARKER_GUARD), and takes its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_GUARD_INSTALL, MADV_GUARD_REMOVE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"
WHY = {"uffd-sync": "as free_taken"}


def play(stage: Stage) -> None:
    """One page is written, another went away."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.madvise(mapping[2:4], MADV_GUARD_INSTALL)
    stage.madvise(mapping[2:4], MADV_GUARD_REMOVE)
    stage.dropped(mapping[2:4])
    stage.write(mapping[2])
    stage.collect()
