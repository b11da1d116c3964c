# SPDX-License-Identifier: GPL-2.0-only
"""A huge page that is mapped by page table entries: fork after the reset, child and parent write.

A huge page of 2 MiB whose mapping was split in part is mapped by 512 entries, each with bits of its own; the page
itself stays whole. Its control is folio_4k_fork.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"


def play(stage: Stage) -> None:
    """The parent writes one page."""
    mapping = stage.map_huge_by_ptes()
    stage.track(mapping)
    stage.reset()
    child = stage.fork()
    child.write(mapping[1])
    stage.write(mapping[100])
    stage.collect()
