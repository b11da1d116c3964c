# SPDX-License-Identifier: GPL-2.0-only
"""Which verdicts differ between two results of the suite meaning, and which way; no text."""

from __future__ import annotations

from typing import NamedTuple

from bench.plan.records import BREAKS, CRASHED, FAILED, HUNG, REFUSED
from bench.store.verdicts import BETTER, BROKEN, DOCUMENTED, EXACT, MISSED, NOT_POSSIBLE, WORSE, Cell, Verdicts

WITHIN = "within"  # what is documented: no answer that was promised changed
WAYS = (WORSE, BETTER, WITHIN)
# From the best to the gravest. A refusal is graver than extra pages, which are still an answer, and less so than pages
# that are lost: who is refused knows.
_EXACT, _DOCUMENTED, _WORSE, _REFUSED, _BROKEN = range(5)
_GRADES = {MISSED: _BROKEN, BREAKS: 5, FAILED: 6, HUNG: 7, CRASHED: 8}


class Change(NamedTuple):
    """A verdict that is another one now. `way`: of WAYS."""

    scenario: str
    interface: str
    base: Cell
    new: Cell
    way: str

    @property
    def breaks(self) -> bool:
        """Whether it is for the worse, and broken now."""
        return self.way == WORSE and grade(self.new) >= _BROKEN


class Changes(NamedTuple):
    """What became of the verdicts of a base. `common`: how many both have.

    gone, added: scenarios and interfaces that only the one, or only the other, has a verdict of.
    """

    base: Verdicts
    new: Verdicts
    common: int
    changed: list[Change]
    gone: list[tuple[str, str]]
    added: list[tuple[str, str]]

    def of(self, way: str) -> list[Change]:
        """Those that went this way."""
        return [one for one in self.changed if one.way == way]


def compare(base: Verdicts, new: Verdicts) -> Changes:
    """Compare verdict by verdict, in the base's order."""
    first, second = ({key for key, cell in one.cells.items() if _answered(cell)} for one in (base, new))
    order = list(dict.fromkeys((*base.cells, *new.cells)))
    common = [key for key in order if key in first & second]
    changed = [
        Change(*key, base.cells[key], new.cells[key], way)
        for key in common
        if (way := direction(base.cells[key], new.cells[key]))
    ]
    gone, added = ([key for key in order if key in some] for some in (first - second, second - first))
    return Changes(base, new, len(common), changed, gone, added)


def _answered(cell: Cell) -> bool:
    """Whether there is a verdict: the kernel's refusal is one, what this machine lacks is none."""
    return cell.kind != NOT_POSSIBLE or cell.no == REFUSED


def grade(cell: Cell) -> int:
    """How bad a verdict is, from 0: exact."""
    if cell.no == REFUSED:
        return _REFUSED
    known = {DOCUMENTED: _EXACT if cell.kind == EXACT else _DOCUMENTED, BETTER: _EXACT, WORSE: _WORSE}
    return _GRADES.get(cell.kind, _BROKEN) if cell.outcome == BROKEN else known[cell.outcome]


def direction(base: Cell, new: Cell) -> str:
    """Which way a verdict went, of WAYS; empty where it is the same, or differs by luck: how much a race loses."""
    before, after = grade(base), grade(new)
    lucky = base.unsteady or new.unsteady
    if max(before, after) <= _DOCUMENTED:
        return "" if base.kind == new.kind or lucky else WITHIN
    if before != after:
        return WORSE if after > before else BETTER
    pages = [(one.missed, one.extra) for one in (base, new)]
    if lucky or before not in (_WORSE, _BROKEN) or pages[0] == pages[1]:
        return ""
    return WORSE if pages[1] > pages[0] else BETTER
