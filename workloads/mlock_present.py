# SPDX-License-Identifier: GPL-2.0-only
"""The program locks its memory by mlock(2) after a reset, then writes one page.

mlock faults the pages in, and private writable ones for writing: populate_vma_page_range() (mm/gup.c) has FOLL_WRITE,
"We want to touch writable mappings with a write fault in order to break COW". Protection that a reset has put on pages
that are present anyway is a write fault to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "protection"
WHY = {
    "soft-dirty": (
        'populate_vma_page_range() (mm/gup.c) faults private writable memory in with FOLL_WRITE, "to break COW": the '
        "protected pages that are present take a write fault, on all kernels"
    ),
    "scan-wp": (
        'populate_vma_page_range() (mm/gup.c) faults private writable memory in with FOLL_WRITE, "to break COW": the '
        "protected pages that are present take a write fault, on all kernels"
    ),
    "uffd-sync": (
        "mlock's write fault is the kernel's own, which userfaultfd with UFFD_USER_MODE_ONLY does not handle "
        "(userfaultfd(2)): EFAULT, which __mlock_posix_error_return() makes ENOMEM; all kernels"
    ),
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.mlock(mapping)
    stage.write(mapping[3])
    stage.collect()
