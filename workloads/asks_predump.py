# SPDX-License-Identifier: GPL-2.0-only
"""A checkpointer: soft-dirty bits are cleared, and all pages that are there are asked for with what is known of them.

Asked so in CRIU, criu/pagemap-cache.c (pull request 2292): neither PFNZERO nor FILE, any of PRESENT and SWAPPED, and
SOFT_DIRTY among what is returned (Linux 6.8, e6a9a2cbc13b); pages without it are taken from the dump before. Where the
kernel has no such scan it reads pagemap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.queries import FILE, PFNZERO, PRESENT, SOFT_DIRTY, SWAPPED, Asker, Query

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "callers' queries"
CLEAN = PFNZERO | FILE
QUERY = Query(
    all=CLEAN, anyof=PRESENT | SWAPPED, inverted=CLEAN, returned=PRESENT | SWAPPED | SOFT_DIRTY, checked=False
)


def play(stage: Stage) -> None:
    """Of 64 pages, 16 of which were never touched, three are written between two dumps."""
    mapping = stage.map(64, populate=False)
    stage.write(mapping[:48])
    asker = Asker(stage, soft_dirty=True)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[7:9])
    stage.write(mapping[30])
    stage.judge(mapping, asker.walk(QUERY, mapping).pages(SOFT_DIRTY))
