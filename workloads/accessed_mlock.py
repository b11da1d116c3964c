# SPDX-License-Identifier: GPL-2.0-only
"""The program locks its memory by mlock(2) after a reset, and reads one page.

mlock faults pages in by get_user_pages(), which faults on what is protected, and marks as accessed what it finds
(FOLL_TOUCH, populate_vma_page_range() in mm/gup.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "rwp": (
        "gup_can_follow_protnone() (include/linux/mm.h) has get_user_pages() fault on all memory that is "
        "registered for RWP, and mlock goes through that (mm/gup.c): pages that are protected count as "
        "accessed; Linux 7.3"
    ),
    "handlers": (
        "mlock faults pages in by get_user_pages(), and that is the kernel's own access, which no handler "
        "gets: EFAULT, which __mlock_posix_error_return() makes ENOMEM, on all kernels"
    ),
    "clear_refs-1": (
        "populate_vma_page_range() (mm/gup.c) has FOLL_TOUCH, which marks pages as accessed, but with "
        "CONFIG_LRU_GEN in use none that is locked already (folio_inc_refs() in mm/swap.c)"
    ),
}


def play(stage: Stage) -> None:
    """One page is read."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.mlock(mapping)
    stage.read(mapping[3])
    stage.collect()
