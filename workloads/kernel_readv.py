# SPDX-License-Identifier: GPL-2.0-only
"""The kernel writes into three tracked pages by one call with io vectors: preadv(2).

As kernel_read; the fault happens in the middle of a copy that has partly succeeded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "kernel writes"
WHY = {"handlers": "as kernel_read"}


def play(stage: Stage) -> None:
    """Three pages are written."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.kernel_reads_into(mapping[3:6])
    stage.collect()
