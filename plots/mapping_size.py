# SPDX-License-Identifier: GPL-2.0-only
"""Cost of one tracking interval against the size of the mapping, a line per interface."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.plan.interfaces import LEGACY
from bench.report import numbers, tables
from bench.report.numbers import Unit
from bench.stats import choice
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py


def plot(rows: pd.DataFrame) -> Figure | None:
    """Draw the headline sweep of frames.intervals()' rows. Log-log; cost against pages.

    None where the headline is about something else than sizes. Raises Unsupported where every cost is lost in noise.
    """
    if choice.axis(rows) != "pages":
        return None
    whole, rows = rows, choice.sweep(rows)
    unit = numbers.unit(rows)
    band = np.array([0.05, 0.5, 0.95])
    costs = unit.factor * rows.groupby(["form", "pages"], observed=True)["cost"].quantile(band).unstack()
    lost = style.lost(costs[0.5], "{:,}".format)
    figure = style.figure(
        rows,
        "Cost of one tracking interval, by mapping size",
        f"{style.cost(rows)}; {tables.shared(rows)}; line: median, band: middle 90% of the rounds{lost}",
    )
    axes = figure.subplots()
    _floor(axes, whole, unit)
    ends, wrong = [], []
    for form, look in style.looks(rows).items():
        cost = costs.loc[form]
        cost = cost[cost[0.5] > 0]
        wrong += style.ring_wrong(axes, rows[rows["form"] == form], cost[0.5], "{:,}".format)
        if cost.empty:
            continue
        axes.fill_between(cost.index, cost[0.05], cost[0.95], color=look.color, alpha=0.2, linewidth=0)
        axes.plot(cost.index, cost[0.5], color=look.color, linestyle=look.line, marker=look.marker, ms=5, label=form)
        ends.append((float(cost[0.5].iloc[-1]), cost.index[-1], form, look.ink))
    axes.set(xscale="log", yscale="log", xlabel="mapping size, pages", ylabel=f"{unit.title} per interval")
    style.ticks(axes.yaxis, unit)
    style.size_ticks(axes, rows["pages"])
    style.label_ends(axes, ends)
    style.list_wrong(axes, wrong)
    return figure


def _floor(axes: Any, rows: pd.DataFrame, unit: Unit) -> None:
    """Draw what the legacy interface costs with nothing to track, where that was measured."""
    least = unit.factor * choice.floor(rows)
    look = style.looks(rows).get(LEGACY)
    if look is None or not least > 0:
        return
    axes.axhline(least, color=look.ink, linestyle=(0, (1, 2)), linewidth=1.2, label="_floor")
    text = f"floor of {LEGACY}: the worker alone"
    place = {"xy": (0.01, least), "xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
    axes.annotate(text, xytext=(0, -4), ha="left", va="top", size=9, color=look.ink, **place)
