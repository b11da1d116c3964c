# SPDX-License-Identifier: GPL-2.0-only
"""Kernel after kernel: what a phase executes in each, where that steps, and which verdicts changed; no text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from bench.plan.interfaces import INTERFACES
from bench.plan.records import PHASES
from bench.stats import comparison, ledger, verdict_changes
from bench.stats.ledger import PHASE, Account, Case, Change
from bench.store import frames, history, verdicts
from bench.store import ledger as stored
from bench.store.frames import CASE, KERNEL
from bench.store.ledger import USER, VALUE
from bench.store.verdicts import Cell, Verdicts

LEAST = 0.01  # of a phase: what changes by less is no step
LEAST_COUNT = 50  # instructions of one: of an empty mapping they are few
Key = tuple[Case, str]  # and a phase


class Release(NamedTuple):
    """A kernel: what each phase executed, between which values, how many pages were wrong, and its verdicts.

    spread: the least and the most of a phase's values. wrong: extra and missed pages of all intervals, of cases that
    have some. verdicts: None where no scenario was played. host: what the machine said of itself.
    """

    version: str
    accounts: Mapping[Key, Account]
    spread: Mapping[Key, tuple[float, float]]
    wrong: Mapping[Case, tuple[int, int]]
    verdicts: Verdicts | None
    host: Mapping[str, Any]


class Step(NamedTuple):
    """Two kernels between which a phase of one form changed on one kind of memory, and what accounts for it.

    change: at the case of most pages among the claimed ones.
    """

    base: str
    new: str
    change: Change

    @property
    def ratio(self) -> float:
        """What the phase executes now, of what it did."""
        return self.change.new.total / self.change.base.total

    @property
    def case(self) -> Case:
        """Where it was counted."""
        return self.change.base.case


class Turn(NamedTuple):
    """Two kernels between which verdicts changed."""

    base: str
    new: str
    changes: verdict_changes.Changes


def load(top: Path) -> list[Release]:
    """Read all that is below a folder, the oldest kernel first. Raises BadInput for a damaged log."""
    return [_release(top, version) for version in history.versions(top)]


def _release(top: Path, version: str) -> Release:
    counted, played = (top / half / version for half in (history.COUNTED, history.PLAYED))
    found = verdicts.load(played) if history.packed(played) else None
    result = frames.load(counted) if history.packed(counted) else None
    if result is None or not result.more_counts:
        return Release(version, {}, {}, {}, found, found.host if found else result.host if result else {})
    rows, counts = frames.intervals(result.frame), stored.load(counted)
    exact = frames.exactness(rows)
    bad = exact[exact["wrong_intervals"] > 0]
    cases = map(Case._make, bad[CASE].itertuples(index=False, name=None))
    wrong = dict(zip(cases, bad[["extra", "missed"]].itertuples(index=False, name=None), strict=True))
    return Release(version, ledger.accounts(counts, rows), _spread(counts), wrong, found, result.host)


def _spread(counts: stored.Ledger) -> dict[Key, tuple[float, float]]:
    whole = counts.counters[counts.counters["counter"].isin([USER, KERNEL])]
    values = whole.groupby(VALUE, observed=True)["value"].sum().groupby(PHASE, observed=True)
    ends = pd.concat([values.min(), values.max()], axis=1)
    return {(Case(*of[:-1]), str(of[-1])): (float(low), float(high)) for of, low, high in ends.itertuples(name=None)}


def steps(releases: Sequence[Release]) -> list[Step]:
    """Return every step, in the order of releases, phases and forms: each of a phase, a form and a kind of memory.

    A phase steps where it changes by LEAST and LEAST_COUNT at least, and the values of the two kernels do not overlap;
    of a reset that walks the whole process by more than what its worker may differ by.
    """
    known = {one.version: one for one in releases if one.accounts}
    found = []
    for new, base in history.before(list(known)).items():
        together: dict[tuple[str, str, str], list[Change]] = {}
        for change in _changes(known[base], known[new]):
            case = change.base.case
            together.setdefault((change.base.phase, case.form, case.kind), []).append(change)
        for some in together.values():
            first = max(some, key=lambda one: one.base.case.pages)
            found.append(Step(base, new, first._replace(claimed=len(some))))
    return found


def _changes(base: Release, new: Release) -> list[Change]:
    """What changed from one kernel to another, by phase."""
    found = []
    for key in sorted((key for key in base.accounts if key in new.accounts), key=lambda one: PHASES.index(one[1])):
        one, other = base.accounts[key], new.accounts[key]
        if stepped(base, new, key):
            name = f"{base.version} to {new.version}"
            found.append(Change(name, one, other, ledger.differences(one, other), 1, _cases(base, key), 0))
    return found


def _cases(release: Release, key: Key) -> int:
    """How many cases there are of a phase, a form and a kind of memory."""
    case, phase = key
    return sum((one.form, one.kind, of) == (case.form, case.kind, phase) for one, of in release.accounts)


def stepped(base: Release, new: Release, key: Key) -> bool:
    """Whether a phase changed from one kernel to another by more than what means nothing."""
    one, other = base.accounts[key].total, new.accounts[key].total
    before, after = base.spread[key], new.spread[key]
    apart = before[1] < after[0] or after[1] < before[0]
    row = INTERFACES.get(key[0].form)
    walks = row is not None and row.role in comparison.WALKING and key[1] == "reset"
    least = max(comparison.OF_WORKER if walks else LEAST_COUNT, LEAST * one)
    return apart and abs(other - one) >= least


def turns(releases: Sequence[Release]) -> list[Turn]:
    """Return where verdicts changed, without those that differ by luck on any kernel."""
    known = {one.version: one.verdicts for one in releases if one.verdicts}
    chance = lucky(releases)
    found = []
    for new, base in history.before(list(known)).items():
        made = verdict_changes.compare(known[base], known[new])
        kept = [one for one in made.changed if (one.scenario, one.interface) not in chance]
        if kept:
            found.append(Turn(base, new, made._replace(changed=kept)))
    return found


def lucky(releases: Sequence[Release]) -> set[tuple[str, str]]:
    """Return the scenarios and interfaces whose plays ended differently on one kernel: few plays may agree by luck."""
    return {
        key
        for one in releases
        if one.verdicts
        for key, cell in one.verdicts.cells.items()
        if cell.plays and cell.unsteady
    }


def able(releases: Sequence[Release]) -> dict[str, list[str]]:
    """Return the kernels on which each interface could be played with."""
    known = [one for one in releases if one.verdicts]
    names = dict.fromkeys(name for one in known if one.verdicts for name in one.verdicts.interfaces)
    return {name: [one.version for one in known if one.verdicts and one.verdicts.able(name)] for name in names}


def runs(releases: Sequence[Release], scenario: str, interface: str) -> list[tuple[Cell, str, str]]:
    """Return a verdict over releases, equal neighbours as one: the verdict, the first kernel and the last one.

    Those are no neighbours between which there is a kernel whose verdict is not known.
    """
    cells = [one.verdicts.cells.get((scenario, interface)) if one.verdicts else None for one in releases]
    found: list[tuple[Cell, str, str]] = []
    for i, (one, cell) in enumerate(zip(releases, cells, strict=True)):
        before = cells[i - 1] if i else None
        if cell and before and before.text() == cell.text():
            found[-1] = (cell, found[-1][1], one.version)
        elif cell:
            found.append((cell, one.version, one.version))
    return found


def frame(releases: Sequence[Release]) -> pd.DataFrame:
    """Return a row per kernel, case and phase: `version`, CASE, `phase`, `value` and `per_page` (instructions).

    `low`, `high`: of the values, per page; `per_pages`, `per`: how many pages that are, and what a page is of;
    `wrong`: extra and missed pages of all intervals.
    """
    lines = []
    for release in releases:
        for (case, phase), one in release.accounts.items():
            low, high = release.spread[case, phase]
            line = {"version": release.version, **case._asdict(), "phase": phase, "value": one.total}
            line |= {"per_page": one.total / one.pages, "low": low / one.pages, "high": high / one.pages}
            lines.append(line | {"per_pages": one.pages, "per": one.per, "wrong": sum(release.wrong.get(case, (0, 0)))})
    columns = ["version", *CASE, "phase", "value", "per_page", "low", "high", "per_pages", "per", "wrong"]
    return pd.DataFrame(lines, columns=columns)
