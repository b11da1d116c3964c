# SPDX-License-Identifier: GPL-2.0-only
"""One byte of a huge page of shared memory is read.

UFFDIO_RWPROTECT does not protect such a page, it unmaps it (pgtable_split_needed() in mm/mprotect.c): the next access
maps it again, all of it, and without protection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "rwp-sync": (
        "pgtable_split_needed() (mm/mprotect.c) has UFFDIO_RWPROTECT unmap a huge page of shared memory "
        "instead of protecting it: who accesses it next fills in an empty entry, and sends no message; Linux "
        "7.3.4"
    ),
}


def play(stage: Stage) -> None:
    """One page is read."""
    mapping = stage.map_shmem_huge()
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[100])
    stage.one_entry(mapping)
    stage.collect()
