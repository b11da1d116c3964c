# SPDX-License-Identifier: GPL-2.0-only
"""A reset with a buffer asks for pages of files alone, and anonymous memory was written.

The same as edge_reset_masks, but with room for what is found: then the masks decide what is protected, and the pages
that do not match stay written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import FILE, WRITTEN, Asker

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "errors and edges"


def play(stage: Stage) -> None:
    """Two pages are written; none of them is a file."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2:4])
    asker = Asker(stage)
    asker.must(asker.written._replace(all=WRITTEN | FILE, protect=True), mapping)
    stage.judge(mapping, asker.must(asker.written, mapping).pages())
