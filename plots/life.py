# SPDX-License-Identifier: GPL-2.0-only
"""A tracker's life: its phases stacked per interface, and what an interval costs in lives of more and more."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.report import numbers, tables
from bench.report.numbers import Unit
from bench.stats import lives, samples
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py
# column, label, colour, hatch: what is paid once before in blues, the interval in yellow, once after it in reds
PARTS = (
    ("open", "open", "#56B4E9", ""),
    ("arm", "arm: the first reset", "#0072B2", ""),
    ("asked", "one interval: extra cost of its writes, collect", "#F0E442", ""),
    ("disarm", "disarm: unregister, mprotect back", "#D55E00", ""),
    ("residue", "after: extra cost of the first writes then", "#E69F00", "////"),
    ("close", "close", "#ffffff", ""),
)
_MOST = 100  # intervals
_TICKS = (1, 2, 5, 10, 20, 50, _MOST)


def plot(rows: pd.DataFrame) -> Figure | None:
    """Draw the largest of the plainest lives that frames.intervals()' rows have; None where they have none."""
    rows = rows[rows["open"].notna()]
    if rows.empty:
        return None
    rows = rows[rows["life_ends"] == rows["life_ends"].max()]  # idle, where there is one
    plain = rows["setting"].astype(str).str.len()
    rows = rows[plain == plain.min()]
    rows = rows[rows["pages"] == rows["pages"].max()]
    keys = ["workload", "kind", "dirty_percent", "setting"]
    rows = rows[(rows[keys] == rows[keys].iloc[0]).all(axis=1)]
    around = rows[["open", "arm", "disarm", "residue", "close"]].sum(axis=1)
    rows, unit = rows.assign(asked=rows["life"] - around), numbers.large(rows)
    looks = style.looks(rows)
    details = f"{unit.title}, untracked writes deducted, lower is better; {tables.describe(rows)}"
    figure = style.figure(rows, "A tracker's life, from opening to closing", details, height=4.9 + 0.3 * len(looks))
    top, below = figure.subplots(2, 1, height_ratios=[1 + len(looks), 9])
    _bars(top, rows, list(looks), unit)
    _lines(below, rows, looks, unit)
    return figure


def _bars(axes: Any, rows: pd.DataFrame, forms: list[str], unit: Unit) -> None:
    """A bar per form: a life of one interval, from left to right."""
    left = pd.Series(0.0, index=forms)
    for column, label, color, hatch in PARTS:
        width = unit.factor * samples.medians(rows, ["form"], column)["median"].reindex(forms).fillna(0).clip(lower=0)
        axes.barh(forms, width, left=left, label=label, color=color, hatch=hatch, edgecolor="black", linewidth=0.6)
        left = left + width
    life = samples.medians(rows, ["form"], "life")["median"]
    for form in forms:
        bad = style.wrong(rows[rows["form"] == form])
        text = numbers.amount(life[form], unit) + (f"  {bad}" if bad else "")
        axes.annotate(text, (left[form], form), xytext=(4, 0), textcoords="offset points", va="center", size=10)
    axes.set_title("with one interval", loc="left", size=11)
    axes.set_xlim(0, left.max() * 1.16)
    style.ticks(axes.xaxis, unit)
    axes.locator_params(axis="x", nbins=7)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.12), ncols=2, frameon=False, fontsize=9)


def _lines(axes: Any, rows: pd.DataFrame, looks: dict[str, style.Look], unit: Unit) -> None:
    """A line per form: an interval with its share of what is paid once."""
    medians = pd.concat({key: samples.medians(rows, ["form"], key)["median"] for key in ("life", "cost")}, axis=1)
    count = np.unique(np.round(np.geomspace(1, _MOST, 60)))
    ends = []
    for form, look in looks.items():
        cost = unit.factor * lives.total(pd.Series(medians.loc[form]), count) / count
        axes.plot(count, cost, look.line, color=look.color, linewidth=1.8)
        ends.append((float(cost[-1]), float(count[-1]), form, look.ink))
    axes.set(xscale="log", yscale="log", xlabel="intervals in a life", ylabel=f"{unit.title} per interval")
    axes.set_title("with more of them, what is paid once shared out", loc="left", size=11)
    axes.set_xlim(1, _MOST)
    axes.set_xticks(_TICKS, [str(n) for n in _TICKS], minor=False)
    axes.set_xticks([], minor=True)
    style.ticks(axes.yaxis, unit)
    style.label_ends(axes, ends)
