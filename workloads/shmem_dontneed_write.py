# SPDX-License-Identifier: GPL-2.0-only
"""Pages of shared memory (memfd) are given back by MADV_DONTNEED, and one is written again.

The write finds no entry and maps the file's page, writable at once: it must be reported all the same. For userfaultfd
the protection has stayed as a marker (999dad824c39, Linux 5.19).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.memory import MADV_DONTNEED

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "dropped pages"


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8, backing=stage.memfd(8))
    stage.track(mapping)
    stage.reset()
    stage.madvise(mapping[2:4], MADV_DONTNEED)
    stage.write(mapping[2])
    stage.collect()
