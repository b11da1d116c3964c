# SPDX-License-Identifier: GPL-2.0-only
"""A page is written, then merged with an equal one by KSM, before the collect.

KSM (mm/ksm.c) replaces pages of equal content by one that is shared and write-protected (replace_page()). What was
written stays so: the entry that KSM makes must keep the soft-dirty bit of the one that it replaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "what the kernel does by itself"
WHY = {
    "soft-dirty": (
        "replace_page() makes the new entry of the page and the area's protection alone (mk_pte(kpage, "
        "vma->vm_page_prot) in mm/ksm.c, 6.1 to 7.3): the soft-dirty bit is lost"
    ),
}


def play(stage: Stage) -> None:
    """All pages are written, with the same content."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping)
    stage.merge_equal(mapping)
    stage.collect()
