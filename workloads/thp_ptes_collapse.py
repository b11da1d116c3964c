# SPDX-License-Identifier: GPL-2.0-only
"""A huge page that is mapped by page table entries is mapped as one again; one page was written.

A huge page of 2 MiB whose mapping was split in part is mapped by 512 entries, each with bits of its own; the page
itself stays whole. MADV_COLLAPSE makes a new huge page of it (collapse_huge_page()), as in thp_collapse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"
WHY = {"soft-dirty": "as khugepaged"}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map_huge_by_ptes()
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[100])
    stage.collapse(mapping)
    stage.collect()
