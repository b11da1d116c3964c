# SPDX-License-Identifier: GPL-2.0-only
"""Pages that MADV_FREE has freed are taken by the kernel, and one of them is written again.

The others are zero from then on. try_to_unmap_one() (mm/rmap.c) drops a clean page of that kind without swap, and its
entry with all bits; the write finds no page and makes a new one. MADV_PAGEOUT stands for a shortage of memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"
WHY = {
    "uffd-sync": (
        "userfaultfd's protection of private memory is a bit in the page's entry, which goes with it without a marker "
        "(zap_install_uffd_wp_if_needed(), mm/memory.c) on all kernels; UFFD_FEATURE_EVENT_REMOVE would tell of "
        "MADV_DONTNEED"
    ),
}


def play(stage: Stage) -> None:
    """One page is written, three went away."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.discard(mapping[2:6])
    stage.write(mapping[3])
    stage.collect()
