# SPDX-License-Identifier: GPL-2.0-only
"""Who pays: the phases of one interval stacked per interface, tracker and tracked program apart."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bench.report import numbers, tables
from bench.report.numbers import Unit
from bench.stats import choice, samples
from bench.store import frames
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py
# column, label, colour, hatch: the tracker in blues, the tracked program in yellow, what it would do anyway hatched.
# The three colours are dark, middle and light in grey.
PARTS = (
    ("reset", "tracker: reset", "#0072B2", ""),
    ("collect", "tracker: collect", "#56B4E9", ""),
    ("collect_reset", "tracker: collect + reset in one", "#56B4E9", "xx"),
    ("tracked", "tracked program: extra cost of its {doings}", "#F0E442", ""),
    ("untracked", "its {doings} untracked (no part of the cost)", "#ffffff", "////"),
)


def plot(rows: pd.DataFrame) -> Figure:
    """Draw the phases of frames.intervals()' rows, a panel for each point of choice.breakdown()."""
    rows, unit = choice.breakdown(rows).sort_values("dirty_percent"), numbers.unit(rows)
    points = [some for _, some in rows.groupby(frames.POINT, observed=True, sort=False)]
    looks = style.looks(rows)
    figure = style.figure(
        rows,
        "Who pays: the phases of one tracking interval",
        f"{unit.title}, lower is better; each a median of its own; number: cost (all phases less the untracked "
        f"{numbers.doings(rows)})",
        height=1.9 + len(points) * (0.4 + 0.27 * len(looks)),
    )
    panels = figure.subplots(len(points), 1, squeeze=False)[:, 0]
    for axes, some in zip(panels, points, strict=True):
        _bars(axes, some, list(looks), unit)
    panels[-1].set_xlabel(f"{unit.title} per interval")
    handles, labels = max((axes.get_legend_handles_labels() for axes in panels), key=lambda pair: len(pair[1]))
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=10)
    return figure


def _bars(axes: Any, some: pd.DataFrame, forms: list[str], unit: Unit) -> None:
    """One panel: a bar per form, its parts from left to right, its cost at the end."""
    left = pd.Series(0.0, index=forms)
    for column, meaning, color, hatch in PARTS:
        label = meaning.format(doings=numbers.doings(some))
        median = unit.factor * samples.medians(some, ["form"], column)["median"].reindex(forms).fillna(0)
        width = median.clip(lower=0)  # noise can make the extra cost negative; a bar can't be
        if width.any():
            axes.barh(forms, width, left=left, label=label, color=color, hatch=hatch, edgecolor="black", linewidth=0.6)
        left = left + width
    cost = samples.medians(some, ["form"], "cost")["median"].reindex(forms)
    for form in cost.dropna().index:
        bad = style.wrong(some[some["form"] == form])
        text = numbers.amount(cost[form], unit) + (f"  {bad}" if bad else "")
        axes.annotate(text, (left[form], form), xytext=(4, 0), textcoords="offset points", va="center", size=10)
    axes.set_title(tables.describe(some), loc="left", size=11)
    axes.set_xlim(0, left.max() * 1.16)
    style.ticks(axes.xaxis, unit)
    axes.locator_params(axis="x", nbins=7)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
