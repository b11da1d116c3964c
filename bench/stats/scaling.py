# SPDX-License-Identifier: GPL-2.0-only
"""How much faster several are than one: writers, scanners, trackers, tracked processes, and where that ends."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pandas as pd

from bench.plan.interfaces import ATOMIC, INTERFACES, UNTRACKED
from bench.plan.points import Point
from bench.stats import samples
from bench.store.frames import RENAMED

GOOD = 0.7  # an efficiency below which something stands in the way


class Axis(NamedTuple):
    """What there may be several of. `key`: the field of Point; `with_it`: fields that rise with it; `column`: what gets
    faster, of frames.intervals()' rows; `inside`: they are all in one address space.
    """

    key: str
    column: str
    title: str
    with_it: tuple[str, ...] = ()
    inside: bool = True


AXES = (
    Axis("writers", "dirty", "threads, each with its part; the writes"),
    Axis("scanners", "tracker", "threads of one tracker; reset and collect"),
    Axis("trackers", "tracker", "of one address space, each with its part; reset and collect"),
    Axis(
        "targets",
        "tracker",
        "processes, each with a tracker; reset and collect",
        ("trackers",),
        inside=False,
    ),
)
_TRACKERS, _TARGETS = AXES[2], AXES[3]
_SHARE = ["workload", "kind", "pages", "dirty_percent"]
PHASES = ("reset", "collect", "collect_reset")


def sweeps(rows: pd.DataFrame, axis: Axis) -> Iterator[pd.DataFrame]:
    """Yield frames.intervals()' rows that differ in the axis alone, from one on; in the order of sizes."""
    own = rows[(rows["external"] == 0) == axis.inside]
    for key in axis.with_it:
        own = own[own[key] == own[axis.key]]
    others = [RENAMED.get(key, key) for key in Point._fields if key not in (axis.key, *axis.with_it)]
    for _, some in own.groupby(others, observed=True, sort=True, dropna=False):
        if some[axis.key].nunique() > 1 and some[axis.key].min() == 1:
            yield some[some[axis.key].isin(_shown(some[axis.key].unique()))]


def _shown(counts: Iterable[int]) -> list[int]:
    """All numbers, or, where they are more than eight, powers of two and the largest."""
    known = sorted(int(n) for n in counts)
    return known if len(known) <= 8 else [n for n in known if n & (n - 1) == 0 or n == known[-1]]


def speedups(rows: pd.DataFrame, axis: Axis, column: str | None = None) -> pd.DataFrame:
    """How many times faster `n` are than one, for one of sweeps().

    Returns float64 columns `speedup`, `low`, `high` (its 95 % CI, or what samples.differences() has), `efficiency`
    (speedup / n), and `enough`, indexed by form and n. column: another phase than the axis's. Of the axis of writers
    there is a form UNTRACKED: the writes without tracking.
    """
    column = column or axis.column
    found = {}
    for n, some in _untracked(rows, axis).groupby(axis.key):
        one = _untracked(rows[rows[axis.key] == 1], axis)
        ratio = samples.differences(one.dropna(subset=[column]), some.dropna(subset=[column]), ["form"], column)
        bounds = {"low": 1 / ratio["high"], "high": 1 / ratio["low"]}
        made = pd.DataFrame({"speedup": 1 / ratio["ratio"], **bounds, "enough": ratio["enough"]})
        found[int(str(n))] = made.assign(efficiency=made["speedup"] / int(str(n)))
    return pd.concat(found, names=["n"]).swaplevel().sort_index()


def _untracked(rows: pd.DataFrame, axis: Axis) -> pd.DataFrame:
    """Rows, and where writes are what gets faster also those without tracking, as one more form."""
    if axis.column != "dirty":
        return rows
    once = rows.drop_duplicates(["boot", "process", axis.key])
    both = [once.assign(form=UNTRACKED, dirty=once["untracked"]), rows.assign(form=rows["form"].astype(str))]
    forms = [UNTRACKED, *map(str, rows["form"].cat.categories)]
    joined = pd.concat(both, ignore_index=True)
    return joined.assign(form=joined["form"].astype(pd.CategoricalDtype(forms, ordered=True)))


class Limit(NamedTuple):
    """A phase that scales over processes and not within one. `exclusive`: it takes mmap_lock for writing there.

    `inside`, `outside`: speedup of `n` trackers in one address space, and of one each.
    """

    form: str
    phase: str
    pages: int
    n: int
    inside: float
    outside: float
    exclusive: bool
    whole: bool  # each tracker's is of the whole process


def limits(rows: pd.DataFrame) -> list[Limit]:
    """What the address space stops: phases whose intervals of inside and outside lie apart, at the most trackers."""
    outside = {_where(some): some for some in sweeps(rows, _TARGETS)}
    found = []
    for some in sweeps(rows, _TRACKERS):
        if (other := outside.get(_where(some))) is None:
            continue
        n = min(int(some["trackers"].max()), int(other["targets"].max()))
        for phase in PHASES:
            if some[phase].notna().any() and other[phase].notna().any():
                inside = speedups(_ends(some, _TRACKERS, n), _TRACKERS, phase)
                outer = speedups(_ends(other, _TARGETS, n), _TARGETS, phase)
                found += _apart(inside, outer, phase, int(some["pages"].iloc[0]), n)
    return found


def _ends(rows: pd.DataFrame, axis: Axis, n: int) -> pd.DataFrame:
    """Rows of one and of n."""
    found: pd.DataFrame = rows[rows[axis.key].isin((1, n))]
    return found


def _where(rows: pd.DataFrame) -> tuple[Any, ...]:
    return tuple(rows[_SHARE].iloc[0])


def _apart(inside: pd.DataFrame, outside: pd.DataFrame, phase: str, pages: int, n: int) -> list[Limit]:
    """The forms of one phase that gain less within one address space than over several, by more than chance."""
    found = []
    for form in dict.fromkeys(inside.index.get_level_values("form")):
        if (form, n) not in inside.index or (form, n) not in outside.index:
            continue
        own, others = inside.loc[(form, n)], outside.loc[(form, n)]
        clear = own["enough"] and others["enough"] and own["high"] < others["low"]
        if clear and own["efficiency"] < GOOD:
            row = INTERFACES.get(str(form).removesuffix(ATOMIC))
            exclusive, whole = (phase in row.exclusive, not row.parts) if row else (False, False)
            whole = whole and phase == "reset"
            speed = float(own["speedup"]), float(others["speedup"])
            found.append(Limit(str(form), phase, pages, n, *speed, exclusive, whole))
    return found
