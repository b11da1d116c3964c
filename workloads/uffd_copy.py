# SPDX-License-Identifier: GPL-2.0-only
"""Missing pages are filled by UFFDIO_COPY after a reset.

mfill_atomic_install_pte() in mm/userfaultfd.c makes the entry: dirty, and protected where UFFDIO_COPY_MODE_WP asks for
it. Whoever restores or migrates a process fills its memory so. The content is new, so the pages count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_DONTNEED

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "userfaultfd"
WHY = {
    "handlers": "a handler is told of write faults, and what userfaultfd fills or moves is none",
}


def play(stage: Stage) -> None:
    """Two pages are filled."""
    mapping = stage.map(8)
    stage.madvise(mapping[2:4], MADV_DONTNEED)
    stage.track(mapping)
    uffd = stage.take_missing(mapping)
    stage.reset()
    stage.uffd_copy(uffd, mapping[2:4])
    stage.collect()
