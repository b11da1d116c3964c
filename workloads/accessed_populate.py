# SPDX-License-Identifier: GPL-2.0-only
"""The program has its memory populated by MADV_POPULATE_READ after a reset.

A page that is there already is passed by; one that is not is faulted in as if it was read (faultin_page_range()). No
data is accessed: the documents of the call say "prefault page tables readable".
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
        "registered for RWP, and MADV_POPULATE_READ goes through that (mm/gup.c): pages that are protected "
        "count as accessed; Linux 7.3; entries that it fills are not protected"
    ),
    "handlers": "as accessed_write_call",
    "clear_refs-1": (
        "MADV_POPULATE_READ has FOLL_TOUCH: follow_page_pte() (mm/gup.c) marks what is there already as "
        "accessed (mark_page_accessed()), on all kernels; the zero page that it fills in is not counted"
    ),
}


def play(stage: Stage) -> None:
    """No page is accessed."""
    mapping = stage.map(8, populate=False)
    stage.write(mapping[:4])
    stage.track(mapping)
    stage.reset_afresh()
    stage.populate_read(mapping)
    stage.collect()
