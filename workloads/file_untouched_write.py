# SPDX-License-Identifier: GPL-2.0-only
"""A regular file is mapped shared, reset before anything is mapped there, and one page is written.

The write finds no entry, and the file's page in the page cache, where it may be a part of a large folio: finish_fault()
(mm/memory.c) then maps all of it as the one page is mapped, writable and dirty (19773df031bc, Linux 6.18). Where
userfaultfd is armed it maps the page alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "shared memory and files"
WHY = {"soft-dirty": "as file_punch", "scan-wp": "as holes_tables"}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8, populate=False, backing=stage.file(8))
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[2])
    stage.collect()
