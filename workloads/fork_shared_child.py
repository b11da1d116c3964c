# SPDX-License-Identifier: GPL-2.0-only
"""The program forks with shared memory (memfd), and the child writes a page of it.

The parent's content changes, by another process's page table: as shmem_other_mapping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "fork"


def play(stage: Stage) -> None:
    """The content of one page changes."""
    mapping = stage.map(8, backing=stage.memfd(8))
    stage.track(mapping)
    stage.reset()
    stage.fork().write(mapping[3])
    stage.changed(mapping[3])
    stage.may_miss(
        mapping[3], "the bits belong to one mapping's page table: writes that reach the file otherwise are not tracked"
    )
    stage.collect()
