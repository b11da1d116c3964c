# SPDX-License-Identifier: GPL-2.0-only
"""process_vm_readv(2) reads one page of a multi-size huge page of 64 KiB.

As accessed_vm_readv: mark_page_accessed() marks the folio, and smaps counts all of its pages for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "handlers": "as accessed_write_call",
    "clear_refs-1": (
        "mark_page_accessed() marks the folio, and smaps_account() (fs/proc/task_mmu.c) counts each of its "
        "pages for that (folio_test_referenced()), on all kernels"
    ),
}


def play(stage: Stage) -> None:
    """One page is read by the kernel."""
    mapping = stage.map_folio(64)
    stage.track(mapping)
    stage.reset_afresh()
    stage.vm_read(mapping[5])
    stage.collect()
