# SPDX-License-Identifier: GPL-2.0-only
"""Pages are moved out of the tracked memory by UFFDIO_MOVE after a reset.

UFFDIO_MOVE (Linux 6.8, adef440691ba) moves pages from one address to another; move_present_ptes() in mm/userfaultfd.c
makes the new entry, soft-dirty. Where they were nothing is mapped, which reads as zeros: the content changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "userfaultfd"
WHY = {
    "scan-wp": (
        "an entry that is empty is not reported by the general path before 07b4377bdbe7 and 40de8160ca7f (in "
        "6.12.107, 6.18.44, 7.1.8 and 7.2)"
    ),
    "mprotect": "as uffd_move_in",
}


def play(stage: Stage) -> None:
    """Two pages go away."""
    target = stage.map(8, populate=False)
    mapping = stage.map(8)
    stage.track(mapping)
    uffd = stage.take_missing_elsewhere(target)
    stage.reset()
    stage.uffd_move(uffd, mapping[2:4], target[2:4])
    stage.may_miss(mapping[2:4], "no interface promises to report content that goes away without a write")
    stage.collect()
