# SPDX-License-Identifier: GPL-2.0-only
"""Pages move by MREMAP_DONTUNMAP; the new addresses are looked at.

As mremap_ptes: the new VMA's pages are marked by move_ptes(), and a registration with userfaultfd stays with the old
VMA (e346b3813067, Linux 5.7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "moves"


def play(stage: Stage) -> None:
    """All pages are new at their new address."""
    mapping = stage.map(8)
    to = stage.reserve(16)[8:]
    stage.track(mapping)
    stage.reset()
    stage.move_pages(mapping, to)
    stage.moved(mapping, to)
    stage.changed(to)
    stage.unmapped(to)
    stage.collect()
