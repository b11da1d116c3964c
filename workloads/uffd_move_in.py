# SPDX-License-Identifier: GPL-2.0-only
"""Pages are moved into the tracked memory by UFFDIO_MOVE after a reset.

UFFDIO_MOVE (Linux 6.8, adef440691ba) moves pages from one address to another; move_present_ptes() in mm/userfaultfd.c
makes the new entry, soft-dirty. What is there is new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_DONTNEED

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "userfaultfd"
WHY = {
    "scan-wp": (
        "what is protected and empty has a marker (UFFD_FEATURE_WP_UNPOPULATED, 2bad466cc9d9, Linux 6.4), and the "
        "call fills only what has nothing (EEXIST, mm/userfaultfd.c)"
    ),
    "uffd-sync": (
        "what is protected and empty has a marker (UFFD_FEATURE_WP_UNPOPULATED, 2bad466cc9d9, Linux 6.4), and the "
        "call fills only what has nothing (EEXIST, mm/userfaultfd.c)"
    ),
    "mprotect": "UFFDIO_MOVE wants both areas writable (validate_move_areas() in mm/userfaultfd.c)",
}


def play(stage: Stage) -> None:
    """Two pages come in."""
    source = stage.map(8)
    mapping = stage.map(8)
    stage.madvise(mapping[2:4], MADV_DONTNEED)
    stage.track(mapping)
    uffd = stage.take_missing(mapping)
    stage.reset()
    stage.uffd_move(uffd, source[2:4], mapping[2:4])
    stage.collect()
