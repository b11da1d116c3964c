# SPDX-License-Identifier: GPL-2.0-only
"""Pages move away by MREMAP_DONTUNMAP; the old addresses are tracked, and one is written.

The old VMA stays, without its pages (e346b3813067, Linux 5.7), and its entries are empty: all of it reads as zero.
Garbage collectors move a heap so to learn who still looks at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "moves"
WHY = {
    "uffd-sync": (
        "the moved pages leave empty entries without userfaultfd's protection at the old addresses (move_ptes(), "
        "mm/mremap.c), on all kernels since MREMAP_DONTUNMAP (e346b3813067, Linux 5.7)"
    ),
}


def play(stage: Stage) -> None:
    """One page is written, the content of all others went elsewhere."""
    mapping = stage.map(8)
    to = stage.reserve(16)[8:]
    stage.track(mapping)
    stage.reset()
    stage.move_pages(mapping, to)
    stage.write(mapping[3])
    stage.collect()
