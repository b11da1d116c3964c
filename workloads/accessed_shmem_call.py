# SPDX-License-Identifier: GPL-2.0-only
"""A page of shared memory is read by read(2) of its file.

That goes past every mapping of it. shmem_file_read_iter() marks the page as accessed, which smaps counts in each
mapping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """One page is accessed, past the tracked mapping."""
    backing = stage.memfd(8)
    mapping = stage.map(8, backing=backing)
    stage.track(mapping)
    stage.reset_afresh()
    stage.pread(backing, 2)
    stage.accessed(mapping[2])
    stage.may_miss(mapping[2], "entries of a page table do not change when its file is read otherwise")
    stage.collect()
