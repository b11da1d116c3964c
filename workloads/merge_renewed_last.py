# SPDX-License-Identifier: GPL-2.0-only
"""Half of the mapping is unmapped and mapped anew, then mprotect merges the other half into it.

As merge_renewed, in the other order: here the clean VMA is the one whose protection changes. The flag of the new half
is lost and the renewed pages that were not written count as clean; seen up to Linux 6.18.15. 6707915e030a ("mm:
propagate VM_SOFTDIRTY on merge", posted November 2025) keeps it, for the old pages too.
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "merged areas"
WHY = {
    "soft-dirty": (
        'before 6707915e030a ("mm: propagate VM_SOFTDIRTY on merge", in 6.18.37 and 6.19, not in 6.12) a merge '
        "keeps the flags of the area whose protection changes, and VM_SOFTDIRTY of the new half is lost"
    ),
}


def play(stage: Stage) -> None:
    """The last eight pages are new, and one of them is written; the first eight were not touched."""
    mapping = stage.map(16)
    stage.track(mapping)
    stage.reset()
    stage.munmap(mapping[8:])
    stage.mprotect(mapping[:8], PROT_READ)
    stage.map(mapping[8:], populate=False)
    stage.write(mapping[8])  # on 6.1 no other merges with a VMA that has no anon_vma (is_mergeable_anon_vma())
    stage.mprotect(mapping[:8], PROT_READ | PROT_WRITE)
    stage.expanded(mapping)
    stage.unmapped(mapping[8:])
    stage.collect()
