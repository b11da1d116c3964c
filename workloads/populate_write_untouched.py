# SPDX-License-Identifier: GPL-2.0-only
"""MADV_POPULATE_WRITE is called on memory that was never touched and was reset.

As populate_write; here the pages are made by it, and are zero as before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "protection"
WHY = {
    "scan-wp": (
        "before 07b4377bdbe7 and 40de8160ca7f (July 2026; in 6.12.107, 6.18.44 and 7.3, not in 6.18.15) a reset does "
        "not protect what has no page table yet: the whole of it counts as written once anything maps a page there"
    ),
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
    mapping = stage.map(8, populate=False)
    stage.track(mapping)
    stage.reset()
    stage.populate_write(mapping[2:4])
    stage.may_report(mapping[2:4], "madvise(2): MADV_POPULATE_WRITE is as if manually writing to each page")
    stage.collect()
