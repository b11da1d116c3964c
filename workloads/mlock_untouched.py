# SPDX-License-Identifier: GPL-2.0-only
"""The program locks memory that was never touched by mlock(2) after a reset, then writes one page.

As mlock_present; here each page is made by mlock, zero, by a write fault. Nobody wrote to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "protection"
WHY = {
    "soft-dirty": (
        'populate_vma_page_range() (mm/gup.c) faults private writable memory in with FOLL_WRITE, "to break COW": each '
        "page that is missing is made as by a write, on all kernels"
    ),
    "scan-wp": (
        'populate_vma_page_range() (mm/gup.c) faults private writable memory in with FOLL_WRITE, "to break COW": each '
        "page that is missing is made as by a write, on all kernels"
    ),
    "uffd-sync": (
        "before WP_UNPOPULATED (2bad466cc9d9, Linux 6.4) empty entries are not protected, and the write is not "
        "noticed; since then mlock's own write fault is the kernel's, which UFFD_USER_MODE_ONLY does not handle: "
        "EFAULT, which __mlock_posix_error_return() makes ENOMEM"
    ),
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8, populate=False)
    stage.track(mapping)
    stage.reset()
    stage.mlock(mapping)
    stage.write(mapping[3])
    stage.collect()
