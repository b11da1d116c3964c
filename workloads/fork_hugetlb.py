# SPDX-License-Identifier: GPL-2.0-only
"""The program forks with hugetlb memory, and the parent writes one of two huge pages.

hugetlb_wp() (mm/hugetlb.c) copies the page, or takes it away from the child where none is left. The registration with
userfaultfd stays with the parent; copy_hugetlb_page_range() must keep the parent's protection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "fork"
WHY = {"clear_refs": "as hugetlb", "scan-softdirty": "as hugetlb"}


def play(stage: Stage) -> None:
    """One huge page is written."""
    mapping = stage.map_hugetlb(2)
    stage.track(mapping)
    stage.reset()
    stage.fork()
    stage.write(mapping[1])
    stage.collect()
