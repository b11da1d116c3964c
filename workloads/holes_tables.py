# SPDX-License-Identifier: GPL-2.0-only
"""Memory without a page table is reset, then one page is written.

PAGEMAP_SCAN must install markers for 512 pages to protect what has no entry. Some kernels neither report nor protect
such a hole when asked for WRITTEN alone: the first write then makes the whole table's pages WRITTEN. Seen on 6.18.15;
fixed in July 2026 (Kiryl Shutsemau), in 6.12.107 and 6.18.44 too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import TABLE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "new memory"
WHY = {
    "scan-wp": (
        "before 07b4377bdbe7 and 40de8160ca7f (July 2026; in 6.12.107, 6.18.44, 7.1.8 and 7.2) a reset does not "
        "protect what has no page table yet: the whole of it counts as written once anything maps a page there"
    ),
    "uffd-sync": "as holes_pages",
}


def play(stage: Stage) -> None:
    """One page of the second page table is written."""
    mapping = stage.map(2 * TABLE, populate=False)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[TABLE + 100])
    stage.collect()
