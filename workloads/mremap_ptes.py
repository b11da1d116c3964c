# SPDX-License-Identifier: GPL-2.0-only
"""The mapping moves by mremap, page by page: the distance is not a multiple of 2 MiB.

move_ptes() marks what it moves soft-dirty since 0f8975ec4db2 (Linux 3.11), whose message says why: "from the user
perspective mremap modifies the virtual memory at mremap's new address". A userfaultfd registration without
EVENT_REMAP is dropped, and nobody tells its owner.
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
    stage.mremap(mapping, to)
    stage.unmapped(to)
    stage.collect()
