# SPDX-License-Identifier: GPL-2.0-only
"""A page of shared memory is written, then swapped out; nobody touches it before the collect.

Shared memory that is swapped out has no swap entry in the page table: the page cache knows where it is. The soft-dirty
bit has nowhere to stay then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "what the kernel does by itself"
WHY = {
    "soft-dirty": (
        "the entry of shared memory that is swapped out is empty, since the page cache knows where the page is: "
        "the soft-dirty bit is lost with it (try_to_unmap_one() in mm/rmap.c, 6.1 to 7.3)"
    ),
    "scan-wp": "as uffd_move_out",
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8, backing=stage.memfd(8))
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[5])
    stage.page_out(mapping)
    stage.collect()
