# SPDX-License-Identifier: GPL-2.0-only
"""A memfd is truncated below part of its mapping and grows again; a page there is written.

truncate_pagecache() unmaps what lies beyond the end, in all mappings. The addresses stay mapped: a fault there is
SIGBUS until the file has grown, and finds new zero pages then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"


def play(stage: Stage) -> None:
    """One page is written, three went away."""
    backing = stage.memfd(8)
    mapping = stage.map(8, backing=backing)
    stage.track(mapping)
    stage.reset()
    stage.truncate(backing, mapping, 4)
    stage.write(mapping[5])
    stage.collect()
