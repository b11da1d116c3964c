# SPDX-License-Identifier: GPL-2.0-only
"""Pages are freed by MADV_FREE, and one of them is written again before the kernel takes it.

The write cancels the freeing of its page. madvise_free_pte_range() clears the entries' dirty bits, and must not make
them writable: the write is the first one since the reset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_FREE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"


def play(stage: Stage) -> None:
    """One page is written; the others keep their content."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.madvise(mapping[2:6], MADV_FREE)
    stage.write(mapping[3])
    stage.collect()
