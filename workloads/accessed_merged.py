# SPDX-License-Identifier: GPL-2.0-only
"""Equal pages are merged by KSM after one was read.

replace_page() (mm/ksm.c) makes a new entry for the merged page: what knows of accesses by entries can lose them, or
lose its protection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "rwp": (
        "replace_page() (mm/ksm.c) makes the new entry of the page and the area's protection alone: the uffd "
        "bit is lost, and the page counts as accessed; Linux 7.3"
    ),
    "young": (
        "replace_page() (mm/ksm.c) makes the new entry of the area's protection, which on x86 has the "
        "accessed bit, and mark_page_accessed() marks the page that stays, on all kernels"
    ),
}


def play(stage: Stage) -> None:
    """One page was read."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[3])
    stage.merge_equal(mapping)
    stage.collect()
