# SPDX-License-Identifier: GPL-2.0-only
"""Spread of the headline's largest point over the runs: a strip per interface, a dot per process."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.errors import Unsupported
from bench.report import numbers, tables
from bench.stats import choice, samples
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py
FEW = 12  # processes up to which there is room for each value, too
HALF = 0.3  # half the height of a strip, in rows


def plot(rows: pd.DataFrame) -> Figure:
    """Draw choice.foremost() of frames.intervals()' rows: percent from each form's own median.

    Raises Unsupported for a single process, which has no spread.
    """
    rows, unit = choice.foremost(rows), numbers.unit(rows)
    if rows["process"].nunique() < 2:
        raise Unsupported("a distribution over processes needs two or more")
    looks = style.looks(rows)
    estimates = samples.medians(rows, ["form"], "cost").loc[list(looks)]
    rows = rows.assign(deviation=_deviation(rows["cost"], rows["form"], estimates))
    runs = _runs(rows)
    figure = style.figure(
        rows,
        "Spread of the cost of one tracking interval over the runs",
        f"{tables.describe(rows)}; at the right: median, {unit.title} (lower is better), +- half of the box; "
        f"{_key(rows, estimates)}",
        height=1.95 + 0.72 * len(looks),
    )
    axes = figure.subplots()
    limit = max(style.reach(some["deviation"].to_numpy()) for _, some in runs.groupby("form", observed=True)) or 0.01
    axes.set(xlim=(-limit, limit), ylim=(len(looks) - 0.45, -0.6), xlabel="deviation from each interface's own median")
    axes.axvline(0, color=style.MUTED, linewidth=1)
    for row, (form, look) in enumerate(looks.items()):
        estimate = estimates.iloc[row]
        _interval(axes, row, estimate, look)
        _strip(axes, row, runs[runs["form"] == form], rows[rows["form"] == form], look)
        text = [f"{numbers.amount(float(estimate['median']), unit)} {_half_width(estimate)}"]
        text += filter(None, [style.wrong(rows[rows["form"] == form])])
        axes.text(1.03, row, "\n".join(text), transform=axes.get_yaxis_transform(), va="center", size=10)
    style.name_rows(axes, looks)
    axes.xaxis.set_major_locator(MaxNLocator(6, symmetric=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: style.percent(x)))
    return figure


def _deviation(cost: "pd.Series[float]", forms: "pd.Series[Any]", estimates: pd.DataFrame) -> "pd.Series[float]":
    """Percent by which each cost is off its form's median."""
    median = forms.map(estimates["median"]).astype(float)
    return 100 * (cost - median) / median.abs()


def _runs(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per form and process: `deviation` (the process's median), `turn` (0 or 1, by boot), `offset` (in rows).

    Offsets go down in the order the processes ran, with a gap between boots: no dot hides another, and drift shows.
    """
    runs = rows.groupby(["form", "boot", "process"], observed=True)["deviation"].median().reset_index()
    order = runs[["boot", "process"]].drop_duplicates().sort_values(["boot", "process"], ignore_index=True)
    boots = order["boot"].rank(method="dense").astype(int) - 1
    slots = order.index + 0.7 * boots
    order["offset"] = HALF * (2 * slots / slots.max() - 1)
    order["turn"] = boots % 2
    return runs.merge(order, on=["boot", "process"])


def _key(rows: pd.DataFrame, estimates: pd.DataFrame) -> str:
    """What the marks mean; only those that are drawn."""
    boots = ", boots filled and hollow in turn" if rows["boot"].nunique() > 1 else ""
    values = "; small: its values" if _shows_values(rows) else ""
    return (
        f"dot: median of one process, downwards in the order they ran{boots}{values}; "
        f"box: {tables.interval_name(estimates)}{', each the median of its dots' if boots else ''}"
    )


def _shows_values(rows: pd.DataFrame) -> bool:
    return rows["process"].nunique() <= FEW and rows["round"].nunique() > 1


def _half_width(estimate: "pd.Series[Any]") -> str:
    """As numbers.spread(), with as many digits as the axis shows: +-0.0043%."""
    half = 100 * samples.half_width(estimate)
    return f"+-{half:.{0 if half >= 10 else 2}{'f' if half >= 10 else 'g'}}%" if np.isfinite(half) else ""


def _interval(axes: Any, row: int, estimate: "pd.Series[Any]", look: style.Look) -> None:
    """Draw the box from low to high of a median behind the dots."""
    low, high = (100 * (estimate[side] / estimate["median"] - 1) for side in ("low", "high"))
    if np.isfinite([low, high]).all():
        axes.barh(
            row, high - low, 2 * HALF + 0.12, left=low, color=look.color, alpha=0.25, edgecolor=look.ink, linewidth=1
        )


def _strip(axes: Any, row: int, runs: pd.DataFrame, rows: pd.DataFrame, look: style.Look) -> None:
    """Draw the dots of one form; those beyond the axis as arrows at its edge, counted."""
    if _shows_values(rows):
        at = row + rows["process"].map(runs.set_index("process")["offset"])
        axes.plot(rows["deviation"], at, "o", ms=3, mew=0, color=look.color, alpha=0.6, label="_values")
    limit = axes.get_xlim()[1]
    size = 5.5 if len(runs) <= 20 else 4
    for turn, fill in ((0, look.color), (1, "white")):
        some = runs[(runs["turn"] == turn) & (runs["deviation"].abs() <= limit)]
        axes.plot(
            some["deviation"], row + some["offset"], "o", ms=size, mfc=fill, mec=look.ink, label="_runs", zorder=3
        )
    for side, arrow, align in ((-1, "<", "left"), (1, ">", "right")):
        out = runs[side * runs["deviation"] > limit]
        if out.empty:
            continue
        axes.plot(np.full(len(out), side * limit), row + out["offset"], arrow, color=look.ink, ms=6, clip_on=False)
        furthest = style.percent(side * out["deviation"].abs().max())
        note = f"{numbers.many(len(out), 'run')}, to {furthest}"
        place = (0.5 + 0.48 * side, row - HALF - 0.18)
        axes.text(*place, note, transform=axes.get_yaxis_transform(), ha=align, va="center", size=9)
