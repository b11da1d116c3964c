# SPDX-License-Identifier: GPL-2.0-only
"""Equal pages are merged by KSM after a reset, then one is written.

KSM (mm/ksm.c) replaces pages of equal content by one that is shared and write-protected (replace_page()). The write
breaks the page out again, and is to be reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "what the kernel does by itself"
WHY = {
    "scan-wp": "as ksm_merged",
    "uffd-sync": (
        "replace_page() makes the new entry of the page and the area's protection alone (mk_pte(kpage, "
        "vma->vm_page_prot) in mm/ksm.c, 6.1 to 7.3): the bit that says protected is lost, and the handler is not "
        "told of the write"
    ),
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.merge_equal(mapping)
    stage.write(mapping[5])
    stage.collect()
