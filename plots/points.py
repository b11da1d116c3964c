# SPDX-License-Identifier: GPL-2.0-only
"""Cost of one tracking interval where the headline is not about sizes: a row for each setting, kind or workload."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from bench import results, stats, tables
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py
ALONG = {"setting": "setting", "kind": "kind of memory", "workload": "pattern"}


def plot(rows: pd.DataFrame) -> Figure | None:
    """Draw the headline of results.intervals()' rows: us, logarithmic, a mark for each interface in each row.

    None where the headline is about numbers, which have plots of their own.
    """
    along = results.axis(rows)
    rows = results.sweep(rows)
    order = tables.in_order(rows, along)
    if along not in ALONG:
        return None
    estimates = stats.medians(rows, [along, "form"], "cost")
    lost = [f"{form} at {value or tables.USUAL}" for value, form in estimates.index[estimates["median"] <= 0]]
    estimates = estimates[estimates["median"] > 0]
    noise = f"; lost in noise: {', '.join(lost)}" if lost else ""
    figure = style.figure(
        rows,
        f"Cost of one tracking interval, by {ALONG[along]}",
        f"us, lower is better; {tables.shared(rows)}; mark: median; bar, where longer: "
        f"{tables.interval_name(estimates)}{noise}",
        height=2.2 + 0.3 * len(order),
    )
    axes = figure.subplots()
    places = {value: place for place, value in enumerate(order)}
    known = set(estimates.index.get_level_values("form"))
    for form, look in ((form, look) for form, look in style.looks(rows).items() if form in known):
        _marks(
            axes,
            1e6 * estimates[["median", "low", "high"]].query("form == @form").droplevel("form"),
            places,
            form,
            look,
        )
    _wrong(axes, rows, along, places, 1e6 * estimates["median"])
    axes.set_yticks(range(len(order)), [str(value) or tables.USUAL for value in order])
    axes.set(xscale="log", ylim=(len(order) - 0.5, -0.5), xlabel="us per interval, untracked writes deducted")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if high / low > 100 else (1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))
    axes.minorticks_off()
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=10)
    return figure


def _marks(axes: Any, cost: pd.DataFrame, places: dict[Any, int], form: str, look: style.Look) -> None:
    """One form: cost has columns median, low, high in us, indexed by what the rows are."""
    y = [places[value] for value in cost.index]
    sides = [cost["median"] - cost["low"], cost["high"] - cost["median"]]
    axes.errorbar(cost["median"], y, xerr=sides, fmt="none", ecolor=look.ink, capsize=2.5, label="_interval")
    axes.plot(cost["median"], y, look.marker, ms=6, color=look.color, mec=look.ink, label=form)


def _wrong(axes: Any, rows: pd.DataFrame, along: str, places: dict[Any, int], cost: "pd.Series[float]") -> None:
    """Ring what was not exact, and say at the right edge how many pages were wrong."""
    counts = results.exactness(rows, [along, "form"])
    texts: dict[int, list[str]] = {}
    for _, row in counts[counts["wrong_intervals"] > 0].iterrows():
        place = places[row[along]]
        if (row[along], row["form"]) in cost.index:
            style.ring(axes, float(cost[row[along], row["form"]]), place)
        texts.setdefault(place, []).append(
            tables.wrong(row["extra"] / row["intervals"], row["missed"] / row["intervals"])
        )
    for place, found in texts.items():
        text = " ".join(dict.fromkeys(found))
        axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), va="center", size=9)
    if texts:
        axes.set_title("ringed: wrong pages per interval", loc="right", size=9)
