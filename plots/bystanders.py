# SPDX-License-Identifier: GPL-2.0-only
"""How long bystanders wait beside each interface: a panel for each kind, a falling line for each form."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.plan.bystanders import BYSTANDERS
from bench.plan.interfaces import UNTRACKED
from bench.report import numbers
from bench.report.numbers import Unit
from plots import style

# What plot() takes: the frame of store/bystanders.py's load(), one row per bucket of each process.
FRAME = "bystanders"
_NOBODY = style.Look("#000000", "-", "", "#000000")  # of the untracked baseline
_NAMES = {UNTRACKED: "nothing"}


def plot(frame: pd.DataFrame) -> Figure:
    """Draw what share of operations took longer than what, at the largest mapping that each kind of them was beside."""
    unit = numbers.unit(frame)
    panels = [
        _largest(frame[frame["bystanders"] == word]) for word in BYSTANDERS if (frame["bystanders"] == word).any()
    ]
    looks = style.looks(frame[frame["form"] != UNTRACKED]) | {UNTRACKED: _NOBODY}
    drawn = [label for label in [UNTRACKED, *looks] if (frame["form"] == label).any()]
    figure = style.figure(
        frame,
        "How long those wait who have nothing to do with tracking",
        f"share of their operations that took longer, of those that overlap an interval; {unit.title}, left and low is "
        "better; dot: the longest",
        height=1.5 + 2.5 * ((len(panels) + 2) // 2),
    )
    grid = figure.subplots((len(panels) + 2) // 2, 2, squeeze=False).ravel()
    for axes, some in zip(grid, panels, strict=False):
        _panel(axes, some, list(dict.fromkeys(drawn)), looks, unit)
    for axes in grid[len(panels) :]:
        axes.axis("off")
    handles = {
        label: line
        for axes in grid[: len(panels)]
        for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    grid[len(panels)].legend(handles.values(), handles.keys(), loc="center", frameon=False, title="tracked by")
    return figure


def _largest(some: pd.DataFrame) -> pd.DataFrame:
    """Rows of the largest mapping; of several points with that size the first."""
    top = some[some["pages"] == some["pages"].max()]
    keys = ["workload", "kind", "dirty_percent", "setting"]
    found: pd.DataFrame = top[(top[keys] == top[keys].iloc[0]).all(axis=1)]
    return found


def _panel(axes: Any, some: pd.DataFrame, labels: list[str], looks: dict[str, style.Look], unit: Unit) -> None:
    """One kind of bystander: from the top left, where all operations are, down to the slowest one."""
    for label in labels:
        own = some[some["form"] == label]
        if own.empty:
            continue
        counts = own.groupby("latency")["count"].sum().sort_index()
        above = counts[::-1].cumsum()[::-1] / counts.sum()  # as slow as this, or slower
        longest = max(float(own["longest"].max()), float(counts.index[-1]))
        x = unit.factor * np.append(counts.index.to_numpy(float), longest)
        y = np.append(above.to_numpy(float), above.iloc[-1])
        look = looks[label]
        axes.step(
            x, y, where="pre", color=look.color, linestyle=look.line, linewidth=1.8, label=_NAMES.get(label, label)
        )
        axes.plot(x[-1], y[-1], "o", ms=4, color=look.color, label="_slowest")
    axes.set(xscale="log", yscale="log", xlabel=f"{unit.title} of an operation")
    axes.set_title(f"{some['bystanders'].iloc[0]}, {some['pages'].iloc[0]:,} pages", loc="left", size=10, weight="bold")
    axes.set_ylim(top=1.3)
    axes.yaxis.set_major_locator(LogLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: "each" if y >= 1 else f"1 in {1 / y:,.0f}"))
    axes.tick_params(labelsize=9)
    style.ticks(axes.xaxis, unit)
    ends = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if ends[1] / ends[0] > 30 else (1, 2, 5)))
