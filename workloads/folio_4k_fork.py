# SPDX-License-Identifier: GPL-2.0-only
"""Ordinary pages, as a control: the process forks after the reset, the child and the parent each write another page.

The control of the scenarios beside it: the same on pages of order 0, where nothing is batched. fork copies entries of
one folio in a batch (copy_present_ptes(), f8d937761d65, Linux 6.9), and write-protects them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "multi-size huge pages"


def play(stage: Stage) -> None:
    """The parent writes one page."""
    mapping = stage.map_folio(4)
    stage.track(mapping)
    stage.reset()
    child = stage.fork()
    child.write(mapping[1])
    stage.write(mapping[5])
    stage.collect()
