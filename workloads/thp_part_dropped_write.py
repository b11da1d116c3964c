# SPDX-License-Identifier: GPL-2.0-only
"""Part of a clean huge page is given back by MADV_DONTNEED and written again.

As thp_part_dropped; the write is in the part that was dropped. Where folios of 64 KiB are allowed
(/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled), its fault gives that whole part one (do_anonymous_page()),
and soft-dirty reports the fifteen other pages too: +496 instead of +496-15, seen on Debian's 6.12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"
WHY = {"soft-dirty": "as thp_split", "uffd-sync": "as free_taken"}


def play(stage: Stage) -> None:
    """One page is written, fifteen went away."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset()
    stage.drop(mapping[:16])
    stage.write(mapping[3])
    stage.collect()
