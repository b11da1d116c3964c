# SPDX-License-Identifier: GPL-2.0-only
"""Which kernel functions account for a change: a panel for each form and phase that changed, a bar a function."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bench.plan.records import INSTRUCTIONS
from bench.report import functions, numbers, tables
from bench.report.numbers import many
from plots import style

# What plot() takes: the frame of report/functions.py's drawn(), one row per change and function, the largest first.
FRAME = "functions"
PANELS = 6  # of the largest changes: what can be seen at once, and fits in 100 KB
BARS = 6  # functions of a panel; the others are one bar
MORE, LESS, REST = "#D55E00", "#0072B2", "#999999"
UNIT = numbers.of_quantity(INSTRUCTIONS)
_OF = ["new_name", "form", "phase"]


def plot(frame: pd.DataFrame) -> Figure:
    """Draw the changes of the functions of each form and phase, in instructions of one interval."""
    first = frame.iloc[0]
    groups = sorted((some for _, some in frame.groupby(_OF, sort=False)), key=lambda some: -abs(some["change"].sum()))
    shown = [_bars(some) for some in groups[:PANELS]]
    left_out = f"; left out: {many(len(groups) - PANELS, 'smaller change')}" if len(groups) > PANELS else ""
    machines = [f"{first['base_name']}: {first['base_where']}"]
    machines += [f"{one['new_name']}: {one['new_where']}" for _, one in frame.drop_duplicates("new_name").iterrows()]
    lines = [
        f"change in {UNIT.title} of one interval, lower is better; bars of a panel add up to its change{left_out}",
        "hatched: executes nothing in the other kernel (another name, or inlined there)",
        "; ".join([*machines, first["memory"], first["cpu"]]),
    ]
    height = 1.6 + sum(0.62 + 0.24 * len(some) for some in shown)
    figure = style.titled("Which kernel functions account for the change", lines, height=height)
    ratios = [0.4 + len(some) for some in shown]
    panels = figure.subplots(len(shown), 1, squeeze=False, gridspec_kw={"height_ratios": ratios})[:, 0]
    several = frame["new_name"].nunique() > 1
    for axes, some, bars in zip(panels, groups, shown, strict=False):
        _panel(axes, some, bars, several=several)
    return figure


def _bars(some: pd.DataFrame) -> pd.DataFrame:
    """The functions that are drawn, and a last bar of the others."""
    own = some[["function", "how", "change"]]
    if len(own) <= BARS + 1:
        return own
    rest = own.iloc[BARS:]
    other = {"function": f"other, {many(len(rest), 'function')}", "how": "", "change": rest["change"].sum()}
    return pd.concat([own.iloc[:BARS], pd.DataFrame([other])], ignore_index=True)


def _panel(axes: Any, some: pd.DataFrame, bars: pd.DataFrame, *, several: bool) -> None:
    first = some.iloc[0]
    whole = f"{'+' if some['change'].sum() > 0 else ''}{numbers.bare(some['change'].sum(), UNIT)}"
    whose = f"{first['new_name']}: " if several else ""
    title = f"{whose}{first['form']}, {first['phase']}: {whole}; {tables.describe(some)}"
    axes.set_title(title, loc="left", size=10, weight="bold")
    for place, (name, how, change) in enumerate(bars.itertuples(index=False)):
        color = REST if name.startswith("other, ") or name == functions.USER else MORE if change > 0 else LESS
        axes.barh(
            place, change, color=color, hatch="///" if how else "", edgecolor="white" if how else color, height=0.7
        )
        text = f"{change:+,.0f}{f' ({how})' if how else ''}"
        shift = {"xytext": (4 if change > 0 else -4, 0), "textcoords": "offset points"}
        axes.annotate(text, (change, place), ha="left" if change > 0 else "right", va="center", size=9, **shift)
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(range(len(bars)), bars["function"], size=9)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    ends = min(float(bars["change"].min()), 0.0), max(float(bars["change"].max()), 0.0)
    room = 0.35 * (ends[1] - ends[0])  # for the numbers behind the bars
    axes.set_xlim(ends[0] - room * (ends[0] < 0), ends[1] + room * (ends[1] > 0))
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=9)
    axes.grid(visible=False, axis="y")
    axes.locator_params(axis="x", nbins=5)
    style.ticks(axes.xaxis, UNIT)
