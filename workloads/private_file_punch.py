# SPDX-License-Identifier: GPL-2.0-only
"""A hole is punched into the file of a private mapping, of which one page was written.

The program's own copy stays, for a hole is no truncation (even_cows of unmap_mapping_range() is 0, mm/memory.c): it
must be reported. Where the program had only read the file it finds zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"


def play(stage: Stage) -> None:
    """One page is written and stays, another went away."""
    backing = stage.memfd(8)
    mapping = stage.map(8, backing=backing, populate=False, private=True)
    stage.read(mapping)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2])
    stage.punch(backing, mapping[2:4], 2)
    stage.changed(mapping[2])
    stage.read(mapping)
    stage.collect()
