# SPDX-License-Identifier: GPL-2.0-only
"""Cost of one tracking interval against the dirty fraction, a line per interface."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.errors import Unsupported
from bench.report import numbers, tables
from bench.stats import choice, samples
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py


def plot(rows: pd.DataFrame) -> Figure:
    """Draw choice.fractions() of frames.intervals()' rows. Log-log from the least fraction that is not 0.

    Raises Unsupported where fewer than two fractions were measured, and where every cost is lost in noise.
    """
    rows, unit = choice.fractions(rows), numbers.unit(rows)
    fractions = np.sort(rows["dirty_percent"].unique())
    if len(fractions) < 2:
        raise Unsupported(f"a line over dirty fractions needs two, and only {fractions[0]:g}% was measured")
    estimates = samples.medians(rows, ["form", "dirty_percent"], "cost")
    figure = style.figure(
        rows,
        "Cost of one tracking interval, by dirty fraction",
        f"{style.cost(rows)}; {_what(rows)}; line: median; bar, where longer than the marker: "
        f"{tables.interval_name(estimates)}{style.lost(estimates['median'], '{:g}%'.format)}",
    )
    axes = figure.subplots()
    least = float(fractions[fractions > 0][0])
    axes.set_xscale("symlog", linthresh=least, linscale=0.6)
    axes.set_yscale("log")
    ends, wrong = [], []
    for form, look in style.looks(rows).items():
        own = estimates.index.get_level_values("form") == form
        cost = unit.factor * estimates.loc[own, ["median", "low", "high"]].droplevel("form")
        cost = cost[cost["median"] > 0]
        wrong += style.ring_wrong(axes, rows[rows["form"] == form], cost["median"], "{:g}%".format)
        if not cost.empty:
            _line(axes, cost, form, look)
            ends.append((float(cost["median"].iloc[-1]), cost.index[-1], form, look.ink))
    below = "" if fractions[0] else f"; linear below {least:g}%"
    axes.set(xlabel=f"dirty, % of the pages (log{below})", ylabel=f"{unit.title} per interval")
    axes.set_xticks(fractions, [f"{x:g}%" for x in fractions])
    style.ticks(axes.yaxis, unit)
    style.label_ends(axes, ends)
    style.list_wrong(axes, wrong)
    return figure


def _what(rows: pd.DataFrame) -> str:
    """The workload and size of rows, and which workloads stand in at the ends: random, 65,536 pages; 0%: idle."""
    names = rows.drop_duplicates("dirty_percent").set_index("dirty_percent")["workload"].astype(str).sort_index()
    own = str(choice.sweep(rows)["workload"].iloc[0])
    ends = [f"{x:g}%: {name}" for x, name in names.items() if name != own]
    return "; ".join([f"{own}, {rows['pages'].iloc[0]:,} pages", *ends])


def _line(axes: Any, cost: pd.DataFrame, form: str, look: style.Look) -> None:
    """One form: cost has columns median, low, high in the axis's unit, indexed by dirty percent."""
    axes.plot(cost.index, cost["median"], color=look.color, linestyle=look.line, marker=look.marker, ms=5, label=form)
    sides = [cost["median"] - cost["low"], cost["high"] - cost["median"]]
    bars = axes.errorbar(cost.index, cost["median"], sides, fmt="none", ecolor=look.ink, capsize=2.5, zorder=1.9)
    bars.set_label("_interval")  # below the markers, which hide those that are shorter
