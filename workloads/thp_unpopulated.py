# SPDX-License-Identifier: GPL-2.0-only
"""Memory for huge pages that was never touched is reset, then one byte of it is written.

PAGEMAP_SCAN leaves markers of small pages in it, and the first write makes a small page. clear_refs leaves nothing
behind, and the write may make a huge page, of which all is marked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import TABLE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"
WHY = {
    "scan-wp": (
        "before 07b4377bdbe7 and 40de8160ca7f (July 2026; in 6.12.107, 6.18.44 and 7.3, not in 6.18.15) a reset does "
        "not protect what has no page table yet: the whole of it counts as written once anything maps a page there"
    ),
    "uffd-sync": (
        "before WP_UNPOPULATED (2bad466cc9d9, Linux 6.4) UFFDIO_WRITEPROTECT leaves out the empty entries of "
        "anonymous memory, as Documentation/admin-guide/mm/userfaultfd.rst says: the write is not noticed"
    ),
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(TABLE, populate=False)
    stage.allow_huge(mapping)
    stage.track(mapping)
    stage.reset()
    stage.one_bit(mapping)
    stage.write(mapping[100])
    stage.collect()
