# SPDX-License-Identifier: GPL-2.0-only
"""Memory for huge pages that was never written is read, then one byte of it is written.

A read maps the huge zero page, where the kernel uses one (use_zero_page); the write replaces it by a huge page of its
own, or splits it. A read must not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import TABLE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "huge pages"


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(TABLE, populate=False)
    stage.allow_huge(mapping)
    stage.read(mapping[0])
    stage.track(mapping)
    stage.reset()
    stage.read(mapping)
    stage.one_bit(mapping)
    stage.write(mapping[100])
    stage.collect()
