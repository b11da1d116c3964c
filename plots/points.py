# SPDX-License-Identifier: GPL-2.0-only
"""Cost of one tracking interval where the headline is not about sizes: a row for each setting, kind or workload."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bench.report import numbers, tables
from bench.stats import choice, samples
from bench.store import frames
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py
ALONG = {"setting": "setting", "kind": "kind of memory", "workload": "pattern"}


def plot(rows: pd.DataFrame) -> Figure | None:
    """Draw the headline of frames.intervals()' rows: logarithmic, a mark for each interface in each row.

    None where the headline is about numbers, which have plots of their own. Raises Unsupported where every cost is lost
    in noise.
    """
    along = choice.axis(rows)
    rows, unit = choice.sweep(rows), numbers.unit(rows)
    if along not in ALONG:
        return None
    order = tables.in_order(rows, along)
    estimates = samples.medians(rows, ["form", along], "cost")
    lost = style.lost(estimates["median"], lambda value: value or tables.USUAL)
    figure = style.figure(
        rows,
        f"Cost of one tracking interval, by {ALONG[along]}",
        f"{style.cost(rows)}; {tables.shared(rows)}; mark: median; bar, where longer: "
        f"{tables.interval_name(estimates)}{lost}",
        height=2.2 + 0.3 * len(order),
    )
    axes = figure.subplots()
    places = {value: place for place, value in enumerate(order)}
    costs = unit.factor * estimates.loc[estimates["median"] > 0, ["median", "low", "high"]]
    known = set(costs.index.get_level_values("form"))
    for form, look in style.looks(rows).items():
        if form in known:
            _marks(axes, costs.loc[[form]].droplevel("form"), places, form, look)
    _wrong(axes, rows, along, places, costs["median"])
    axes.set_yticks(range(len(order)), [str(value) or tables.USUAL for value in order])
    axes.set(xscale="log", ylim=(len(order) - 0.5, -0.5), xlabel=f"{unit.title} per interval")
    style.ticks(axes.xaxis, unit)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=10)
    return figure


def _marks(axes: Any, cost: pd.DataFrame, places: dict[Any, int], form: str, look: style.Look) -> None:
    """One form: cost has columns median, low, high in the axis's unit, indexed by what the rows are."""
    y = [places[value] for value in cost.index]
    sides = [cost["median"] - cost["low"], cost["high"] - cost["median"]]
    axes.errorbar(cost["median"], y, xerr=sides, fmt="none", ecolor=look.ink, capsize=2.5, label="_interval")
    axes.plot(cost["median"], y, look.marker, ms=6, color=look.color, mec=look.ink, label=form)


def _wrong(axes: Any, rows: pd.DataFrame, along: str, places: dict[Any, int], cost: "pd.Series[float]") -> None:
    """Ring what was not exact, and say at the right edge how many pages were wrong."""
    counts = frames.exactness(rows, [along, "form"])
    texts: dict[int, list[str]] = {}
    for _, row in counts[counts["wrong_intervals"] > 0].iterrows():
        place = places[row[along]]
        if (row["form"], row[along]) in cost.index:
            style.ring(axes, float(cost[row["form"], row[along]]), place)
        texts.setdefault(place, []).append(
            numbers.wrong(row["extra"] / row["intervals"], row["missed"] / row["intervals"])
        )
    for place, found in texts.items():
        text = " ".join(dict.fromkeys(found))
        axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), va="center", size=9)
    if texts:
        axes.set_title("ringed: wrong pages per interval", loc="right", size=9)
