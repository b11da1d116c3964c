# SPDX-License-Identifier: GPL-2.0-only
"""Where the instructions of a phase go, by kernel function, and which functions account for a change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.errors import BadInput
from bench.plan.records import PHASES
from bench.stats import choice, comparison
from bench.stats.comparison import Side
from bench.store.frames import CASE, KERNEL, POINT
from bench.store.ledger import USER, VALUE, Ledger

PHASE = [*CASE, "phase"]
REPEATS = 1e-4  # of a median: boots of one kernel that differ by more are named
SAME = 1.1  # times as many instructions that a function may execute to be one that was renamed
# what compilers add to the name of a function of which they made several, or a part
_SUFFIX = re.compile(r"(?:\.(?:isra|constprop|part|cold|llvm)(?:\.\d+)*)+$")


class Case(NamedTuple):
    """One of CASE."""

    workload: str
    kind: str
    pages: int
    dirty_percent: float
    setting: str
    form: str


class Account(NamedTuple):
    """What one phase of one interval executed: of the value that is the median (the lower one of two).

    functions: instructions of the kernel by function, the largest first; foreign: likewise, of work that is in no
    value; counters: every other number by name. pages, per: by what it is divided: the written pages for `dirty`, those
    of the mapping for the other phases.
    """

    case: Case
    phase: str
    functions: pd.Series[float]
    foreign: pd.Series[float]
    counters: pd.Series[float]
    pages: int
    per: str

    @property
    def user(self) -> float:
        """Instructions of the program itself."""
        return float(self.counters.get(USER, 0.0))

    @property
    def total(self) -> float:
        """Everything that the phase executed for itself."""
        return self.user + float(self.functions.sum())


class Change(NamedTuple):
    """What accounts for the change of one phase of one form, at one of the cases in which it is claimed.

    functions: as of differences(); with the change of `user` they add up to the whole. claimed: in how many of `cases`
    the phase changed; top: in how many of the claimed ones, this one apart, the same function comes first.
    """

    new_name: str
    base: Account
    new: Account
    functions: pd.DataFrame
    claimed: int
    cases: int
    top: int

    @property
    def user(self) -> float:
        """By how much the program's own instructions changed."""
        return self.new.user - self.base.user

    @property
    def total(self) -> float:
        """By how much the phase changed."""
        return self.new.total - self.base.total


def plain(function: str) -> str:
    """Return the name of a function without what the compiler added to it: foo.isra.0 and foo.part.0 are foo."""
    return _SUFFIX.sub("", function)


def typical(found: Ledger, *more: str) -> Ledger:
    """Keep one value of each case and phase (and of each of `more`): the one whose instructions are the median."""
    whole = found.counters[found.counters["counter"].isin([USER, KERNEL])]
    if whole.empty:  # a sample: its functions are all that is known
        whole = found.functions.rename(columns={"instructions": "value"})
    totals = whole.groupby(VALUE, observed=True)["value"].sum().reset_index()
    totals = totals.sort_values(["value", "boot", "process", "round"], kind="stable")
    groups = totals.groupby([*PHASE, *more], observed=True)["value"]
    kept = totals[groups.cumcount() == (groups.transform("size") - 1) // 2][VALUE]
    return Ledger(found.name, *(frame.merge(kept, on=VALUE) for frame in found[1:]))


def accounts(found: Ledger, rows: pd.DataFrame) -> dict[tuple[Case, str], Account]:
    """Return the account of every case and phase of a ledger; rows: of frames.intervals(), which know what was written.

    The untracked baseline is among the cases.
    """
    kept = typical(found)
    counters = _split(kept.counters, "counter", "value")
    functions, foreign = (_split(frame, "function", "instructions") for frame in (kept.functions, kept.foreign))
    points = rows.drop_duplicates(POINT).set_index(POINT)
    accessed, written = (points[key].to_dict() for key in ("accessed_pages", "written_pages"))
    none: pd.Series[float] = pd.Series(dtype="float64")
    made = {}
    for key in dict.fromkeys([*counters, *functions]):
        *of, phase = key
        case = Case(*of)
        dirty = phase == "dirty"
        point = tuple(of[: len(POINT)])
        pages = accessed.get(point, 0) if dirty else case.pages
        done = "written" if accessed.get(point) == written.get(point) else "accessed"
        made[case, phase] = Account(
            case,
            phase,
            functions.get(key, none),
            foreign.get(key, none),
            counters.get(key, none),
            max(1, int(pages)),
            f"{done} page" if dirty else "page of the mapping",
        )
    return made


def _split(frame: pd.DataFrame, name: str, number: str) -> dict[tuple[Any, ...], pd.Series[float]]:
    """The numbers of each case and phase by name, the largest first."""
    ordered = frame.astype({name: str}).sort_values(number, ascending=False, kind="stable")
    groups = ordered.groupby(PHASE, observed=True)
    return {tuple(key): some.set_index(name)[number] for key, some in groups}


def differences(base: Account, new: Account) -> pd.DataFrame:
    """Return the functions in which two accounts differ, the largest change first.

    Columns: `function`, `base`, `new`, `change`, and `how`: new or gone where only one of them has it, renamed where
    the name differs by underscores in front. What compilers make of one function in the one kernel and not in the other
    (foo.isra.0, foo.part.0) is paired by its plain() name.
    """
    sides = [one.functions.groupby(list(map(plain, one.functions.index))).sum() for one in (base, new)]
    found = pd.concat(dict(zip(("base", "new"), sides, strict=True)), axis=1)
    how = np.select([found["base"].isna(), found["new"].isna()], ["new", "gone"], "")
    found = _renamed(found.fillna(0.0).assign(how=how))
    found["change"] = found["new"] - found["base"]
    found = found[found["change"] != 0].rename_axis("function").reset_index()
    order = found["change"].abs().sort_values(ascending=False, kind="stable").index
    return found.loc[order, ["function", "base", "new", "change", "how"]].reset_index(drop=True)


def _renamed(found: pd.DataFrame) -> pd.DataFrame:
    """Pair a function that is gone with a new one that is clearly the same: __foo and foo, which executed as much."""
    gone = {str(name).lstrip("_"): name for name in found.index[found["how"] == "gone"]}
    for name in found.index[found["how"] == "new"]:
        old = gone.get(str(name).lstrip("_"))
        if old is None or not 1 / SAME < found["new"][name] / max(found["base"][old], 1.0) < SAME:
            continue
        found.loc[name, ["base", "how"]] = [found["base"][old], "renamed"]
        found = found.drop(index=old)
    return found


def changes(
    sides: Sequence[Side], ledgers: Sequence[Ledger], pattern: str = "*", phases: Iterable[str] = PHASES
) -> list[Change]:
    """Return what accounts for each phase that changed, by form; the first side is the base.

    Of the cases in which a phase changed, the one of representative() is taken if it is among them, else the one that
    changed by most instructions.
    """
    known = [accounts(found, side.whole) for side, found in zip(sides, ledgers, strict=True)]
    made = []
    for phase in phases:
        try:
            frame = comparison.compare(list(sides), metric=phase, pattern=pattern).frame
        except BadInput:  # no case has this phase
            continue
        usual = representative(frame)
        for (new_name, _), rows in frame.groupby(["new_name", "form"], observed=True, sort=False):
            new = known[[side.name for side in sides].index(str(new_name))]
            found = _claimed(rows, usual, (known[0], new), phase)
            if found:
                made.append(Change(str(new_name), *found))
    return made


def _claimed(
    rows: pd.DataFrame, usual: Case, known: Sequence[dict[tuple[Case, str], Account]], phase: str
) -> tuple[Account, Account, pd.DataFrame, int, int, int] | None:
    """The account of one form's phase where its change is claimed: fields of Change."""
    claimed = [Case(*map(getattr, [row] * len(CASE), CASE)) for row in rows[rows["significant"]].itertuples()]
    pairs = {
        one: (known[0][one, phase], known[1][one, phase]) for one in claimed if all((one, phase) in k for k in known)
    }
    if not pairs:
        return None
    first = next((one for one in pairs if one[:-1] == usual[:-1]), None)
    first = first or max(pairs, key=lambda one: abs(pairs[one][1].total - pairs[one][0].total))
    found = {one: differences(*pair) for one, pair in pairs.items()}
    tops = [next(iter(some["function"]), "") for one, some in found.items() if one != first]
    top = tops.count(next(iter(found[first]["function"]), ""))
    return (*pairs[first], found[first], len(claimed), len(rows), top)


def representative(rows: pd.DataFrame) -> Case:
    """Return the one case that stands for a result, whatever came out: the usual one of the largest mapping."""
    first = choice.usual(choice.representative(rows)).iloc[0]
    return Case(*(first[key] for key in CASE))


class Boots(NamedTuple):
    """Two boots of one kernel whose medians of a phase differ: the least and the most, and the functions' part."""

    case: Case
    phase: str
    ratio: float
    functions: pd.DataFrame


def unsteady(found: Ledger, rows: pd.DataFrame, least: float = REPEATS) -> list[Boots]:
    """Return where boots of one kernel differ by more than `least` of their median, the furthest first."""
    if found.counters["boot"].nunique() < 2:
        return []
    kept = typical(found, "boot")
    whole = kept.counters[kept.counters["counter"].isin([USER, KERNEL])]
    totals = whole.groupby([*PHASE, "boot"], observed=True)["value"].sum().unstack("boot")
    least_of, most_of = totals.min(axis=1), totals.max(axis=1)
    apart = (most_of / least_of.where(least_of > 0)).sort_values(ascending=False)
    apart = apart[apart - 1 > least]
    some = apart.index.to_frame(index=False)
    known = {
        boot: accounts(Ledger(found.name, *(one[one["boot"] == boot].merge(some) for one in kept[1:])), rows)
        for boot in totals.columns
    }
    made = []
    for of, ratio in zip(some.itertuples(index=False), apart, strict=True):
        key = Case(*of[:-1]), str(of[-1])
        ends = totals.loc[tuple(of)]
        low, high = (known[boot][key] for boot in (ends.idxmin(), ends.idxmax()))
        made.append(Boots(*key, float(ratio), differences(low, high)))
    return made
