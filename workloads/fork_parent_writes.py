# SPDX-License-Identifier: GPL-2.0-only
"""The program forks; the parent writes a page that it now shares with the child.

fork write-protects all anonymous pages for copy-on-write and keeps the soft-dirty bits; a registration with
userfaultfd stays with the parent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "fork"


def play(stage: Stage) -> None:
    """The parent's write must be reported."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.fork()
    stage.write(mapping[2])
    stage.collect()
