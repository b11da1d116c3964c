# SPDX-License-Identifier: GPL-2.0-only
"""The program forks, the child ends, and the parent writes a page that it has for itself again.

The entry is still write-protected for copy-on-write. wp_page_reuse() (mm/memory.c) makes it writable without a copy,
and must mark it as a copy would be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "fork"


def play(stage: Stage) -> None:
    """The parent's writes must be reported, before and after a reset."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.fork().close()
    stage.write(mapping[2])
    stage.collect()
    stage.reset()
    stage.write(mapping[4])
    stage.collect()
