# SPDX-License-Identifier: GPL-2.0-only
"""A reset without a buffer asks for pages of files alone, and anonymous memory was written.

PM_SCAN_WP_MATCHING is to protect the pages that match (pagemap.rst: the pages of interest). Without a buffer
pagemap_scan_pmd_entry() in fs/proc/task_mmu.c protects every page of a page table and looks at no mask, since Linux
6.7 (12f6b01a0bcb): what was written to pages that do not match is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import FILE, WRITTEN, Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"
WHY = {
    "any": (
        "Without a buffer pagemap_scan_pmd_entry() in fs/proc/task_mmu.c protects all pages of a page table and looks "
        "at no mask (its path for exclusive WP, 12f6b01a0bcb): Linux 6.7 to 7.3."
    )
}


def play(stage: Stage) -> None:
    """Two pages are written; none of them is a file."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2:4])
    asker = Asker(stage)
    asker.must(asker.written._replace(all=WRITTEN | FILE, room=0, protect=True), mapping)
    stage.judge(mapping, asker.must(asker.written, mapping).pages())
