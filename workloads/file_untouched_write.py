# SPDX-License-Identifier: GPL-2.0-only
"""A regular file is mapped shared, reset before anything is mapped there, and one page is written.

The write finds no entry, and the file's page in the page cache, where it may be a part of a large folio: finish_fault()
(mm/memory.c) then maps all of it as the one page is mapped, writable and dirty (19773df031bc, Linux 6.18). Where
userfaultfd is armed it maps the page alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "shared memory and files"
WHY = {
    "soft-dirty": (
        'since 19773df031bc ("mm/fault: try to map the entire file folio in finish_fault()", Linux 6.18) a write that '
        "finds no entry maps all of the file's large folio, each entry dirty and so soft-dirty; not where userfaultfd "
        "is armed"
    ),
    "scan-wp": (
        "before 07b4377bdbe7 and 40de8160ca7f (July 2026; in 6.12.107, 6.18.44 and 7.3, not in 6.18.15) a reset does "
        "not protect what has no page table yet: the whole of it counts as written once anything maps a page there"
    ),
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8, populate=False, backing=stage.file(8))
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2])
    stage.collect()
