# SPDX-License-Identifier: GPL-2.0-only
"""One huge page of 64 KiB made read-only and writable again after a reset, then one is written.

A multi-size huge page (Linux 6.8, 19eaf44954df) is mapped by entries of its small pages, each with bits of its own: the
unit of tracking stays 4 KiB. mprotect changes entries of one folio in a batch (cac1db8c3aad, Linux 6.17), and may make
them writable at once: not those that are tracked (can_change_pte_writable()).
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "multi-size huge pages"
WHY = {
    "soft-dirty": (
        "since cac1db8c3aad (Linux 6.17) mprotect changes the entries of a folio in a batch, and "
        "modify_prot_start_ptes() in include/linux/pgtable.h merges what they were by pte_mkdirty(), which sets "
        "the soft-dirty bit on x86: the whole folio counts; pages of order 0, and 6.12, are exact"
    ),
    "mprotect": "as folio_4k_mprotect",
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map_folio(64)
    stage.track(mapping)
    stage.reset()
    stage.mprotect(mapping, PROT_READ)
    stage.mprotect(mapping, PROT_READ | PROT_WRITE)
    stage.write(mapping[5])
    stage.collect()
