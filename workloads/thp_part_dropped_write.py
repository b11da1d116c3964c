# SPDX-License-Identifier: GPL-2.0-only
"""Part of a clean huge page is given back by MADV_DONTNEED and written again.

As thp_part_dropped; the write is in the part that was dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"
WHY = {
    "soft-dirty": (
        "__split_huge_pmd_locked() hands the huge page's dirty bit to all its entries by pte_mkdirty(), which sets "
        "the soft-dirty bit too on x86 (0ccf7f168e17): all count as written; seen from 6.12 on, not on Debian's 6.1"
    ),
    "uffd-sync": (
        "userfaultfd's protection of private memory is a bit in the page's entry, which goes with it without a marker "
        "(zap_install_uffd_wp_if_needed(), mm/memory.c) on all kernels; UFFD_FEATURE_EVENT_REMOVE would tell of "
        "MADV_DONTNEED"
    ),
}


def play(stage: Stage) -> None:
    """One page is written, fifteen went away."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset()
    stage.drop(mapping[:16])
    stage.write(mapping[3])
    stage.collect()
