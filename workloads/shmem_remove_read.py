# SPDX-License-Identifier: GPL-2.0-only
"""Pages of shared memory (memfd) are removed by MADV_REMOVE and read: they are zero.

MADV_REMOVE punches a hole into the file (vfs_fallocate()). unmap_mapping_range() takes the pages out of every mapping,
and leaves userfaultfd's markers where they are: the empty entries count as protected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_REMOVE

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"


def play(stage: Stage) -> None:
    """The content of two pages changes, and nobody wrote."""
    mapping = stage.map(8, backing=stage.memfd(8))
    stage.track(mapping)
    stage.reset()
    stage.drop(mapping[2:4], MADV_REMOVE)
    stage.read(mapping[2:4])
    stage.collect()
