# SPDX-License-Identifier: GPL-2.0-only
"""The program forks with a huge page, and the parent writes one byte of it.

copy_huge_pmd() (mm/huge_memory.c) write-protects the entry in both processes. The write can't copy a huge page:
do_huge_pmd_wp_page() splits the entry, and one small page is copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "fork"
WHY = {"soft-dirty": "as thp_split"}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset()
    stage.fork()
    stage.write(mapping[100])
    stage.collect()
