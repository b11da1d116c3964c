# SPDX-License-Identifier: GPL-2.0-only
"""Pages that were never written are read, which maps the zero page; then one of them is written.

A read must not count. The write replaces the zero page by a new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "plain writes"
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
    mapping = stage.map(8, populate=False)
    stage.track(mapping)
    stage.reset()
    stage.read(mapping)
    stage.write(mapping[3])
    stage.collect()
