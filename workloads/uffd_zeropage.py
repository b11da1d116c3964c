# SPDX-License-Identifier: GPL-2.0-only
"""Missing pages are filled by UFFDIO_ZEROPAGE after a reset, which they read as before.

mfill_atomic_pte_zeropage() in mm/userfaultfd.c maps the zero page. It refuses (EEXIST) where there is anything, a
marker of userfaultfd's protection included.
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
        "call fills only what has nothing (EEXIST, mm/userfaultfd.c); where the general path arms no empty entry "
        "(before 40de8160ca7f) it fills them, and they count as written"
    ),
    "uffd-sync": "as uffd_move_in",
}


def play(stage: Stage) -> None:
    """Nothing is written."""
    mapping = stage.map(8)
    stage.madvise(mapping[2:4], MADV_DONTNEED)
    stage.track(mapping)
    uffd = stage.take_missing(mapping)
    stage.reset()
    stage.uffd_zeropage(uffd, mapping[2:4])
    stage.collect()
