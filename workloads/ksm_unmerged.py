# SPDX-License-Identifier: GPL-2.0-only
"""Pages that KSM had merged before the reset get copies of their own again; nobody writes.

KSM (mm/ksm.c) replaces pages of equal content by one that is shared and write-protected (replace_page()).
MADV_UNMERGEABLE breaks the sharing by faults that look like writes (break_ksm()). The content stays what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "what the kernel does by itself"
WHY = {
    "soft-dirty": (
        "break_ksm() in mm/ksm.c takes a write fault (FAULT_FLAG_WRITE) in 6.1; since then it asks for a page of "
        "one's own without writing (FAULT_FLAG_UNSHARE)"
    ),
}


def play(stage: Stage) -> None:
    """Nothing is written."""
    mapping = stage.map(8)
    stage.merge_equal(mapping)
    stage.track(mapping)
    stage.reset()
    stage.unmerge(mapping)
    stage.collect()
