# SPDX-License-Identifier: GPL-2.0-only
"""Pages of shared memory are read and written.

RWP works on shared memory (userfaultfd.rst). A page of it is in the page cache, too, but the mark of who accessed it
is in the entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """Two pages are read, one is written."""
    backing = stage.memfd(8)
    mapping = stage.map(8, backing=backing)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[2:4])
    stage.write(mapping[5])
    stage.collect()
