# SPDX-License-Identifier: GPL-2.0-only
"""A regular file mapped shared is written by write(2) to the file.

The tracked mapping's content changes in the page cache; its page table is not touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "shared memory and files"


def play(stage: Stage) -> None:
    """The content of one page changes."""
    backing = stage.file(8)
    mapping = stage.map(8, backing=backing)
    stage.track(mapping)
    stage.reset()
    stage.pwrite(backing, 2)
    stage.changed(mapping[2])
    stage.may_miss(
        mapping[2], "the bits belong to one mapping's page table: writes that reach the file otherwise are not tracked"
    )
    stage.collect()
