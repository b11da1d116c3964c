# SPDX-License-Identifier: GPL-2.0-only
"""Pages are swapped out and back in, and one of them is written.

The soft-dirty and write-protect bits move into the swap entry and back (pte_swp_soft_dirty(), pte_swp_uffd_wp()).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "what the kernel does by itself"


def play(stage: Stage) -> None:
    """One page is written; the others were only read back."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.page_out(mapping)
    stage.read(mapping[:4])
    stage.write(mapping[5])
    stage.collect()
