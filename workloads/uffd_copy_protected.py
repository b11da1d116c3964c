# SPDX-License-Identifier: GPL-2.0-only
"""Missing pages are filled by UFFDIO_COPY with MODE_WP after a reset, and one is written.

mfill_atomic_install_pte() in mm/userfaultfd.c makes the entry: dirty, and protected where UFFDIO_COPY_MODE_WP asks for
it. So a monitor fills memory that is to count as clean: with MODE_WP it need not be reported
(Documentation/admin-guide/mm/userfaultfd.rst).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_DONTNEED

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "userfaultfd"
WHY = {"handlers": "as uffd_copy"}


def play(stage: Stage) -> None:
    """Two pages are filled, one of them is written."""
    mapping = stage.map(8)
    stage.madvise(mapping[2:4], MADV_DONTNEED)
    stage.track(mapping)
    uffd = stage.take_missing(mapping)
    stage.reset()
    stage.uffd_copy(uffd, mapping[2:4], protect=stage.interface.uffd)
    if stage.interface.uffd:
        stage.unchanged(mapping[2:4])
    stage.write(mapping[3])
    stage.collect()
