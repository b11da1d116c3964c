# SPDX-License-Identifier: GPL-2.0-only
"""A thread reads all pages while UFFDIO_SET_MODE changes from async to sync and back, again and again.

A virtual machine's monitor freezes what it knows so (userfaultfd.rst): what faults while sync waits, and goes on once
it is async and woken. No access may be lost, and nobody may wait for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """All pages are read once."""
    mapping = stage.map(256)
    stage.track(mapping)
    stage.reset_afresh()
    stage.switch_modes(mapping)
    stage.collect()
