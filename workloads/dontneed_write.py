# SPDX-License-Identifier: GPL-2.0-only
"""Two pages are given back by MADV_DONTNEED, and one of them is written again.

The write finds no page and makes a new one; that one must be reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_DONTNEED

if TYPE_CHECKING:
    from bench.measure.stage import Stage


def play(stage: Stage) -> None:
    """One page is written, another went away."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.madvise(mapping[2:4], MADV_DONTNEED)
    stage.changed(mapping[2:4])
    stage.may_miss(mapping[3], "no interface promises to report content that goes away without a write")
    stage.write(mapping[2])
    stage.collect()
