# SPDX-License-Identifier: GPL-2.0-only
"""MADV_POPULATE_READ is called on memory of which one half is present, and one page is written.

It faults the pages in as reads do (4ca9b3859dac, Linux 5.14), which maps the zero page where there was none. Nothing of
it is a write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_POPULATE_READ

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "protection"
WHY = {
    "scan-wp": (
        "before 07b4377bdbe7 and 40de8160ca7f (July 2026; in 6.12.107, 6.18.44, 7.1.8 and 7.2) the general "
        "path of PAGEMAP_SCAN passes over empty entries: it neither protects nor reports them"
    ),
    "uffd-sync": "as holes_pages",
}


def play(stage: Stage) -> None:
    """One page is written in each half."""
    mapping = stage.map(16, populate=False)
    stage.write(mapping[:8])
    stage.track(mapping)
    stage.reset()
    stage.madvise(mapping, MADV_POPULATE_READ)
    stage.write(mapping[3])
    stage.write(mapping[11])
    stage.collect()
