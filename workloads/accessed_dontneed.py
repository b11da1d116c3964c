# SPDX-License-Identifier: GPL-2.0-only
"""Pages are read, then dropped by MADV_DONTNEED.

With the entry all that is known of it is gone: userfaultfd.rst says so of RWP, which has no marker for it as write
protection has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """Two pages of three that were read are gone since."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[2:5])
    stage.drop(mapping[3:6])
    stage.collect()
