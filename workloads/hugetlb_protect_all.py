# SPDX-License-Identifier: GPL-2.0-only
"""Hugetlb memory that was never populated is reset by a scan that names no category.

All matches then, holes too. To leave a marker in a hole the scan calls uffd_wp_range(), which takes the lock of the
hugetlb area for writing (hugetlb_change_protection(), mm/hugetlb.c), while the walk holds it for reading
(walk_hugetlb_range(), mm/pagewalk.c): the process waits for itself, and no signal ends it. Fixed by "fix hugetlb
self-deadlock in pagemap_scan_pte_hole()" (May 2026, 20260529172331.356655-4-kas@kernel.org).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "hugetlb"
WHY = {
    "scan-wp": (
        'before "fix hugetlb self-deadlock in pagemap_scan_pte_hole()" (20260529172331.356655-4-kas@kernel.org, May '
        "2026; not in 6.18.15) the scan waits for a lock that it holds itself, and no signal ends it"
    ),
}


def play(stage: Stage) -> None:
    """One of two huge pages is written."""
    mapping = stage.map_hugetlb(2, populate=False, backing=stage.hugetlb_file(2))
    stage.track(mapping)
    stage.protect_all()
    stage.write(mapping[1])
    stage.collect()
