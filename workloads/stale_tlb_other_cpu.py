# SPDX-License-Identifier: GPL-2.0-only
"""A thread on another CPU writes a page all the time while it is reset.

As stale_tlb, but the flush must reach another CPU (by an interrupt) before the reset returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "races"


def play(stage: Stage) -> None:
    """Five rounds; each must report the page."""
    mapping = stage.map(2)
    stage.track(mapping)
    stage.reset()
    stage.rewrite_elsewhere(mapping[0])
