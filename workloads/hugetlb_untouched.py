# SPDX-License-Identifier: GPL-2.0-only
"""Private hugetlb memory that was never populated is reset, and one of two huge pages is written.

PAGEMAP_SCAN that asks for WRITTEN alone passes over what has no page table, on kernels where a hole is not WRITTEN: see
holes_tables. The write makes a page without protection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "hugetlb"
WHY = {"clear_refs": "as hugetlb"}


def play(stage: Stage) -> None:
    """One huge page is written."""
    mapping = stage.map_hugetlb(2, populate=False)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[1])
    stage.collect()
