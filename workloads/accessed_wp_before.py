# SPDX-License-Identifier: GPL-2.0-only
"""The memory is registered for write protection by another userfaultfd before it is tracked.

An area belongs to one userfaultfd at a time: EBUSY (userfaultfd_register()). In one of them, write protection and RWP
exclude each other: EINVAL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """One page is read."""
    mapping = stage.map(8)
    stage.protect_elsewhere(mapping)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[3])
    stage.collect()
