# SPDX-License-Identifier: GPL-2.0-only
"""Pages of a private mapping of a file are read and written.

RWP is for anonymous and shared memory and hugetlb; of files on a disk only the legacy interfaces know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """Two pages are read, one is written."""
    mapping = stage.map(8, backing=stage.file(8), private=True)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[2:4])
    stage.write(mapping[5])
    stage.collect()
