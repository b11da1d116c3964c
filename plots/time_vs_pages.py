# SPDX-License-Identifier: GPL-2.0-only
"""Cost of one tracking interval against the size of the mapping, a line per interface."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench import results, tables
from plots import style


def plot(rows: pd.DataFrame) -> Figure:
    """Draw the headline sweep of results.intervals()' rows. Log-log; us against pages."""
    rows = results.sweep(rows)
    first = rows.iloc[0]
    what = (
        first["workload"] if not first["dirty_percent"] else f"{first['workload']}, {first['dirty_percent']:g}% dirty"
    )
    figure = style.figure(
        rows,
        "Cost of one tracking interval, by mapping size",
        f"us, lower is better; {what}; line: median, band: middle 90% of the rounds",
    )
    axes = figure.subplots()
    ends, wrong = [], []
    for form, look in style.looks(rows).items():
        some = rows[rows["form"] == form]
        cost = 1e6 * some.groupby("pages")["cost"].quantile(np.array([0.05, 0.5, 0.95])).unstack()
        axes.fill_between(cost.index, cost[0.05], cost[0.95], color=look.color, alpha=0.2, linewidth=0)
        axes.plot(cost.index, cost[0.5], color=look.color, linestyle=look.line, marker=look.marker, ms=5, label=form)
        ends.append((float(cost[0.5].iloc[-1]), form, look.ink))
        wrong += _ring_wrong(axes, some, cost[0.5])
    axes.set(
        xscale="log", yscale="log", xlabel="mapping size, pages", ylabel="us per interval, untracked writes deducted"
    )
    axes.set_xticks(sorted(rows["pages"].unique()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,g}"))
    axes.minorticks_off()
    _label_ends(axes, rows["pages"].max(), ends)
    if wrong:  # in the corner that rising lines leave free
        lines = ["ringed: wrong pages per interval", *wrong[:5], *(["..."] if len(wrong) > 5 else [])]
        axes.text(0.02, 0.98, "\n".join(lines), transform=axes.transAxes, va="top", size=10)
    return figure


def _label_ends(axes: Any, x: float, ends: list[tuple[float, str, str]]) -> None:
    """Name each line at its right end, pushed apart where they would overlap."""
    low, high = np.log(axes.get_ylim())
    step = 0.06 * (high - low)
    own = np.log([max(y, np.exp(low)) for y, _, _ in sorted(ends)])
    at = np.maximum.accumulate(own - step * np.arange(len(own))) + step * np.arange(len(own))
    at -= np.mean(at - own)  # up and down alike
    for (y, form, ink), place in zip(sorted(ends), np.exp(at), strict=True):
        arrow = {"arrowstyle": "-", "color": ink, "lw": 0.8, "shrinkA": 0, "shrinkB": 3, "relpos": (0, 0.5)}
        axes.annotate(
            form,
            (x, y),
            xytext=(1.04, place),
            textcoords=axes.get_yaxis_transform(),
            color=ink,
            va="center",
            weight="bold",
            arrowprops=arrow,
            annotation_clip=False,
        )


def _ring_wrong(axes: Any, some: pd.DataFrame, median: "pd.Series[float]") -> list[str]:
    """Ring the points where not every interval was exact; return what was wrong there."""
    counts = results.exactness(some)
    found = []
    for _, row in counts[counts["wrong_intervals"] > 0].iterrows():
        axes.plot(row["pages"], median[row["pages"]], "o", ms=15, mfc="none", mec="black", mew=1.5, label="_wrong")
        wrong = tables.wrong(row["extra"] / row["intervals"], row["missed"] / row["intervals"])
        found.append(f"{row['form']}, {row['pages']:,}: {wrong}")
    return found
