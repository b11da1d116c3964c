# SPDX-License-Identifier: GPL-2.0-only
"""A forked child reads and writes its copy of the memory.

The child has entries of its own: without UFFD_FEATURE_EVENT_FORK they are not protected (__copy_present_ptes()), and
their accessed bits are its own. The parent accesses nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """No page of the parent."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    child = stage.fork()
    child.read(mapping[2:4])
    child.write(mapping[5])
    stage.collect()
