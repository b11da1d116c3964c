# SPDX-License-Identifier: GPL-2.0-only
"""Drift over the run: how far each process was from the usual, in the order they ran, a panel per interface."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.errors import Unsupported
from bench.report import numbers
from bench.stats import samples
from bench.store import frames
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py
MANY_BOOTS = 40  # from here on their boundaries would be a grey area
MANY_PROCESSES = 40  # from here on markers would run into each other


def plot(rows: pd.DataFrame) -> Figure:
    """Draw all points of frames.intervals()' rows: percent by which a process is off the point's own median.

    A process is one pass over all points; they ran one after another. Raises Unsupported for fewer than three.
    """
    if rows["process"].nunique() < 3:
        raise Unsupported("drift over a run shows from three processes on")
    looks = style.looks(rows)
    passes = _passes(rows)
    boots = rows["boot"].nunique()
    points = numbers.many(len(rows[frames.POINT].drop_duplicates()), "point")
    figure = style.figure(
        rows,
        "Drift of the cost of one tracking interval over the run",
        f"{rows['quantity'].iloc[0]}, in % off each point's own median; flat at 0 is better; "
        f"line: median over {points}, band: middle 80% of them"
        + (f"; dotted: another boot ({boots})" if 1 < boots < MANY_BOOTS else ""),
        height=1.75 + 1.1 * len(looks),
    )
    panels = figure.subplots(len(looks), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    limit = max(style.reach(some[["low", "high"]].to_numpy().ravel()) for some in passes.values()) or 0.01
    panels[0].set_ylim(-limit, limit)
    for axes, (form, look) in zip(panels, looks.items(), strict=True):
        _panel(axes, passes[form], look)
        _boundaries(axes, rows, boots)
        axes.set_title(form, loc="left", size=11, weight="bold", color=look.ink)
        notes = [_mark_wrong(axes, rows[rows["form"] == form]), _mark_beyond(axes, passes[form]["median"], look)]
        axes.set_title("; ".join(filter(None, notes)), loc="right", size=10)
    panels[-1].set_xlabel("process, in the order they ran")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[-1].yaxis.set_major_locator(MaxNLocator(5, symmetric=True, steps=[1, 2, 5, 10]))
    panels[-1].yaxis.set_major_formatter(FuncFormatter(lambda y, _: style.percent(y)))
    return figure


def _passes(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Per form, indexed by process: quantiles `low` (10 %), `median`, `high` (90 %) over points, in percent."""
    case = frames.CASE
    usual = samples.medians(rows, case, "cost")["median"].rename("usual")
    one = rows.groupby([*case, "process"], observed=True)["cost"].median().rename("cost").reset_index()
    one = one.merge(usual.reset_index(), on=case)
    one["deviation"] = 100 * (one["cost"] - one["usual"]) / one["usual"].abs()
    found = one.groupby(["form", "process"], observed=True)["deviation"].quantile(np.array([0.1, 0.5, 0.9])).unstack()
    found.columns = pd.Index(["low", "median", "high"])
    return {form: found.loc[form] for form in found.index.unique("form")}


def _panel(axes: Any, some: pd.DataFrame, look: style.Look) -> None:
    """One form's band and line; some: one of _passes()."""
    marker = look.marker if len(some) < MANY_PROCESSES else ""
    axes.axhline(0, color=style.MUTED, linewidth=1)
    axes.fill_between(some.index, some["low"], some["high"], color=look.color, alpha=0.3, linewidth=0)
    axes.plot(some.index, some["median"], color=look.ink, marker=marker, ms=4, linewidth=1.5, label="median")


def _boundaries(axes: Any, rows: pd.DataFrame, boots: int) -> None:
    """Mark where another boot begins."""
    if boots < MANY_BOOTS:
        order = rows.drop_duplicates("process").sort_values("process")
        first = order.loc[order["boot"].ne(order["boot"].shift()), "process"].iloc[1:]
        for process in first:
            axes.axvline(process - 0.5, color=style.MUTED, linewidth=0.8, linestyle=":", label="_boot")


def _mark_wrong(axes: Any, rows: pd.DataFrame) -> str:
    """Cross the processes of one form with wrong pages at any point, at the bottom; say how many runs that were."""
    runs = rows.drop_duplicates([*frames.POINT, "process"])
    bad = runs[runs["wrong_intervals"] > 0]
    if bad.empty:
        return ""
    at = np.sort(bad["process"].unique())
    axes.plot(
        at, np.full(len(at), 0.07), "x", transform=axes.get_xaxis_transform(), color="black", mew=1.5, label="_wrong"
    )
    return f"x: wrong pages, in {len(bad)} of {numbers.many(len(runs), 'run')}"


def _mark_beyond(axes: Any, median: "pd.Series[float]", look: style.Look) -> str:
    """Put an arrow at the edge where the line leaves the panel; say how far it goes."""
    limit = axes.get_ylim()[1]
    out = median[median.abs() > limit]
    for process, value in out.items():
        axes.plot(process, np.copysign(limit, value), "^" if value > 0 else "v", color=look.ink, ms=7, clip_on=False)
    furthest = out[out.abs() == out.abs().max()].iloc[:1]
    return "".join(f"arrow: off the scale, to {style.percent(value)}" for value in furthest)
