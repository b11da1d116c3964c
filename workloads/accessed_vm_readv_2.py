# SPDX-License-Identifier: GPL-2.0-only
"""process_vm_readv(2) reads a page twice in an interval.

Where pages are on two lists, active and not, the second mark_page_accessed() moves a page to the active one and takes
its mark away (folio_mark_accessed() in mm/swap.c); with CONFIG_LRU_GEN it stays.
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
        "folio_mark_accessed() (mm/swap.c) moves a page that has its mark to the active list, and takes the "
        "mark away, but where CONFIG_LRU_GEN is in use"
    ),
}


def play(stage: Stage) -> None:
    """One page, read twice by the kernel."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.vm_read(mapping[3])
    stage.vm_read(mapping[3])
    stage.collect()
