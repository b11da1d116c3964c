# SPDX-License-Identifier: GPL-2.0-only
"""One byte of a transparent huge page is read.

A huge page has one entry, with one accessed bit and one protection, which its first access takes away as a whole
(do_huge_pmd_uffd_rwp(), which does not split it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """One page is read."""
    mapping = stage.map_huge()
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[100])
    stage.one_entry(mapping)
    stage.collect()
