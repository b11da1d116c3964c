# SPDX-License-Identifier: GPL-2.0-only
"""One file per workload or scenario; a new file is found by itself (bench/plan/catalogue.py).

A workload's `order()` names the pages that one interval writes; a scenario's `play()` is a script about meaning. A
workload may say `DIRTY_PERCENT = 100.0`, where it writes that share whatever is asked for, and `REPEATS = True`, where
an interval may write a page more than once. A scenario says its `THEME`, of those in the catalogue; `WHY`, what
explains verdicts that are not the truth, with the source; and `MOST_PLAYS`, where it waits for something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from array import array

    from bench.measure.stage import Stage


class Workload(Protocol):
    """What a file in this folder offers."""

    def order(self, pages: int, dirty: int, seed: int) -> array[int]:
        """Page indices below `pages` in the order one interval writes them: uint32[writes].

        dirty: how many pages the dirty fraction asks for. The same seed: the same pages, on every machine.
        """


class Scenario(Protocol):
    """What the file of a scenario offers. Its docstring: what happens, in the kernel, since when, the source."""

    def play(self, stage: Stage) -> None:
        """Do it once."""
