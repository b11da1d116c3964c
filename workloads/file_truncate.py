# SPDX-License-Identifier: GPL-2.0-only
"""A regular file is truncated below part of its mapping and grows again; a page there is written.

As shmem_truncate, with a file system beneath: its page_mkwrite() is called for the write besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"
WHY = {"soft-dirty": "as file_punch"}


def play(stage: Stage) -> None:
    """One page is written, three went away."""
    backing = stage.file(8)
    mapping = stage.map(8, backing=backing)
    stage.track(mapping)
    stage.reset()
    stage.truncate(backing, mapping, 4)
    stage.write(mapping[5])
    stage.collect()
