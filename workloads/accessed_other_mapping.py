# SPDX-License-Identifier: GPL-2.0-only
"""Shared memory is read through another mapping of the same file.

Entries belong to one mapping. A virtual machine's monitor does its own accesses by another one for just that reason
(userfaultfd.rst).
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
    other = stage.map(8, backing=backing)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(other[2])
    stage.accessed(mapping[2])
    stage.may_miss(
        mapping[2], "userfaultfd.rst: reading another mapping of the file does not go through the protected entries"
    )
    stage.collect()
