# SPDX-License-Identifier: GPL-2.0-only
"""Which rows of a result are shown: the headline, what it is a table over, the points beside it."""

import math
from typing import Any

import pandas as pd

from bench.plan import catalogue
from bench.plan.interfaces import IOCTL, LEGACY
from bench.plan.kinds import USUAL_KIND
from bench.stats import samples
from bench.store.frames import POINT

USUAL_WORKLOAD = "random"
USUAL_DIRTY = 10  # percent
ABOVE = 2  # times its floor that LEGACY must cost at a point for a ratio of it to be about the mapping
AXES = ["pages", "dirty_percent", "setting", "kind", "workload"]  # POINT: of equally long ones, a headline's first


def challenger(rows: pd.DataFrame) -> str | None:
    """The form whose speedup over LEGACY is shown; None where either was not measured."""
    forms = set(rows["form"].cat.categories)
    return next((name for name in IOCTL if name in forms), None) if LEGACY in forms else None


def axis(rows: pd.DataFrame) -> str:
    """The one of POINT along which most points differ in nothing else: what the headline is a table over."""
    points = rows[POINT].drop_duplicates()
    most = {one: points.groupby([key for key in POINT if key != one], observed=True).size().max() for one in AXES}
    return max(AXES, key=lambda one: most[one])


def sweep(rows: pd.DataFrame) -> pd.DataFrame:
    """The headline: rows that differ along axis() only; of several such sweeps the most usual and longest one.

    Usual is USUAL_WORKLOAD nearest to USUAL_DIRTY, on memory of USUAL_KIND, without settings.
    """
    along = axis(rows)
    series = [key for key in POINT if key != along]
    lengths = rows.groupby(series, observed=True)[along].nunique().rename("length").reset_index()

    def rank(one: Any) -> tuple[bool | int | float, ...]:
        dirty = getattr(one, "dirty_percent", USUAL_DIRTY)
        usual = getattr(one, "kind", USUAL_KIND) == USUAL_KIND, -len(getattr(one, "setting", "").split())
        random = getattr(one, "workload", USUAL_WORKLOAD) == USUAL_WORKLOAD
        return one.length > 1, *usual, random, dirty > 0, one.length, -_from_usual(dirty)

    best = max(lengths.itertuples(), key=rank)
    return rows.loc[_equal(rows, {key: getattr(best, key) for key in series})]


def foremost(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the sweep's most telling point: the largest mapping, or else the most usual point."""
    top = sweep(rows)
    along = axis(rows)
    values = list(top[along].unique())
    if along == "pages":
        chosen = max(values)
    elif along == "dirty_percent":
        chosen = min(values, key=_from_usual)
    else:
        usual = {"setting": "", "kind": USUAL_KIND, "workload": USUAL_WORKLOAD}[along]
        chosen = usual if usual in values else values[0]
    return top.loc[_equal(top, {along: chosen})]


def representative(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the few cases that stand for all, the same for every result of a suite, whatever was measured.

    Every form at the largest mapping of the headline's workload, with the fewest, the usual and the most pages written.
    """
    first, alike = foremost(rows).iloc[0], like_headline(rows)
    own = alike[alike["workload"] == first["workload"]]
    largest = own[own["pages"] == own["pages"].max()]
    written = largest.loc[largest["dirty_percent"] > 0, "dirty_percent"]
    shown = [written.min(), first["dirty_percent"], written.max()] if len(written) else [0.0]
    found: pd.DataFrame = largest[largest["dirty_percent"].isin(shown)]
    return found


def usual(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the most usual share of written pages."""
    nearest = min(rows["dirty_percent"].unique(), key=_from_usual)
    found: pd.DataFrame = rows[rows["dirty_percent"] == nearest]
    return found


def floor(rows: pd.DataFrame) -> float:
    """What LEGACY costs where there is nothing to track, since it walks the whole process; NaN if not measured."""
    some = empty(rows)
    own = some[some["form"] == LEGACY]
    return float(samples.medians(own, ["form"], "cost")["median"].iloc[0]) if len(own) else math.nan


def above_floor(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the points at which LEGACY costs at least ABOVE times its floor(); all rows where that is not known.

    Below, its cost is mostly that of the worker process, whose size the suite has chosen.
    """
    least = ABOVE * floor(rows)
    if math.isnan(least):
        return rows
    cost = samples.medians(rows[rows["form"] == LEGACY], POINT, "cost")["median"]
    kept: pd.DataFrame = rows[pd.MultiIndex.from_frame(rows[POINT]).isin(cost.index[cost >= least])]
    return kept


def _from_usual(dirty: float) -> float:
    """How far a dirty fraction is from the usual one, by order of magnitude."""
    return abs(math.log(max(dirty, 0.01) / USUAL_DIRTY))


def ends(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows are of a workload that always writes nothing, or everything."""
    fixed = [name for name in rows["workload"].unique() if catalogue.fraction(name) in (0, 100)]
    return rows["workload"].isin(fixed)


def fractions(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one mapping size over dirty fractions: the headline's workload, and ends() where it lacks them."""
    alike = like_headline(rows)
    own = alike["workload"] == sweep(rows)["workload"].iloc[0]
    measured = pd.MultiIndex.from_frame(alike.loc[own, ["pages", "dirty_percent"]])
    lacking = ~pd.MultiIndex.from_frame(alike[["pages", "dirty_percent"]]).isin(measured)
    return _busiest(alike[own | (lacking & ends(alike))], "dirty_percent")


def patterns(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one mapping size and the headline's dirty fraction over workloads."""
    alike = like_headline(rows)
    return _busiest(alike[alike["dirty_percent"] == sweep(rows)["dirty_percent"].iloc[0]], "workload")


def breakdown(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the few points whose phases are shown: the headline's between its ends(), at one mapping size."""
    alike = like_headline(rows)
    return _busiest(alike[ends(alike) | alike.index.isin(sweep(rows).index)], "workload")


def headline(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one point of breakdown(): the one between ends(), if there is one."""
    inner = rows[~ends(rows)]
    return inner if not inner.empty else rows


def empty(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of what tracking costs without anything to track: nothing written to a mapping of one page."""
    alike = like_headline(rows)
    nothing = alike["workload"].map(catalogue.fraction).astype(float) == 0
    return alike[nothing & (alike["pages"] == 1)]


def like_headline(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the headline's kind of memory and settings."""
    first = foremost(rows).iloc[0]
    return rows[_equal(rows, {key: first[key] for key in ("kind", "setting")})]


def _equal(rows: pd.DataFrame, wanted: dict[str, Any]) -> "pd.Series[bool]":
    keep: pd.Series[bool] = pd.Series(True, index=rows.index)
    for key, value in wanted.items():
        keep &= rows[key] == value
    return keep


def _busiest(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Keep the mapping size that has the most different values of column; of equals the largest."""
    counts = rows.groupby("pages")[column].nunique()
    return rows.loc[rows["pages"].isin([counts[counts == counts.max()].index.max()])]
