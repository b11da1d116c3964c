# SPDX-License-Identifier: GPL-2.0-only
"""A page is mapped anew, merges, and a round of mprotect lets writes through without a fault.

David Hildenbrand's reproducer in the v6 thread (bfcae708-db21-04b4-0bbe-712badd03071@redhat.com). Since 76aefad628aa
(Linux 6.0) can_change_pte_writable() does not look at the PTE's bit while VM_SOFTDIRTY is set, so the write leaves
the bit clear. Reading pagemap still says dirty, by VM_SOFTDIRTY; v6's PAGEMAP_NO_REUSED_REGIONS looks at the bit
alone and loses the write.
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "protection"
WHY = {"mprotect": "as mprotect_round"}


def play(stage: Stage) -> None:
    """Both pages are written in the end."""
    mapping = stage.map(2)
    stage.track(mapping)
    stage.reset()
    stage.map(mapping[1], populate=False)
    stage.mprotect(mapping, PROT_READ)
    stage.mprotect(mapping, PROT_READ | PROT_WRITE)
    stage.write(mapping)
    stage.unmapped(mapping[1])
    stage.collect()
