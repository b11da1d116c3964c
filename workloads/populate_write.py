# SPDX-License-Identifier: GPL-2.0-only
"""MADV_POPULATE_WRITE is called on memory that is present and was reset.

It faults the pages in for writing "just as if manually writing to each page; however, in contrast to a manual write, it
doesn't change the content" (madvise(2), 4ca9b3859dac, Linux 5.14): a write to who tracks, though nothing changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "protection"
WHY = {
    "uffd-sync": (
        "the kernel's own access gets no handler: no SIGSEGV is sent for it, and userfaultfd with UFFD_USER_MODE_ONLY "
        "does not handle it (userfaultfd(2)); the call fails instead, on all kernels"
    ),
    "mprotect": (
        "madvise(2): MADV_POPULATE_WRITE fails with EINVAL where memory is not writable, and a tracker that uses "
        "mprotect has made it so"
    ),
}


def play(stage: Stage) -> None:
    """The content of no page changes."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.populate_write(mapping[2:4])
    stage.may_report(mapping[2:4], "madvise(2): MADV_POPULATE_WRITE is as if manually writing to each page")
    stage.collect()
