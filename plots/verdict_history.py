# SPDX-License-Identifier: GPL-2.0-only
"""Kernel after kernel: the verdicts that changed, a row for each scenario and interface, by theme."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench.errors import Unsupported
from bench.report import verdict_tables
from bench.store.history import order, series
from bench.store.verdicts import LACKS
from plots import meaning, style

FRAME = "verdict history"  # what plot() takes: see __init__.py
_ROW = 0.15  # inches
_MOST = 90  # rows: more would be no plot
_SIGN, _SIGNS = 6.0, 170.0  # points: of what is in a cell, at most, and of those of a row


def plot(frame: pd.DataFrame) -> Figure:
    """Draw rows of report/meaning.py's frame(), with `title`. Raises Unsupported where no verdict changed."""
    if frame.empty or frame["column"].nunique() < 2:
        raise Unsupported("no verdict changed from one kernel to another")
    versions = sorted(frame["column"].unique(), key=order)
    rows = _rows(frame)
    shown = rows[:_MOST]
    seen = set(map(meaning.mark_of, frame[frame["no"] != LACKS].itertuples()))
    keys = [meaning.key(name) for name in meaning.MARKS if name in seen]
    left = f"; {len(rows) - len(shown)} more in the page" if len(rows) > len(shown) else ""
    what = (
        f"scenarios and interfaces whose verdict is not the same everywhere, by theme{left}; empty: the kernel lacks it"
    )
    lines = [what, str(frame["title"].iloc[0])]
    height = 2.2 + 0.21 * -(-len(keys) // meaning.KEYS) + _ROW * len(shown)
    figure = style.titled("Verdicts that changed, release by release", lines, height=height)
    axes = figure.subplots()
    there = frame[frame["no"] != LACKS]  # what a kernel lacks stays empty
    cells = {(str(one.scenario), str(one.interface), str(one.column)): one for one in there.itertuples()}
    for y, (scenario, names) in enumerate(shown):
        for x, version in enumerate(versions):
            if one := cells.get((scenario, names[0], version)):
                _cell(axes, x, y, meaning.MARKS[meaning.mark_of(one)], min(_SIGN, _SIGNS / len(versions)))
    edges = [i for i in range(1, len(versions)) if series(versions[i]) != series(versions[i - 1])]
    for edge in edges:
        axes.axvline(edge, color="#555555", lw=0.8)
    labels = [f"{scenario}: {_short(names)}" for scenario, names in shown]
    axes.set_yticks([y + 0.5 for y in range(len(shown))], labels, size=7)
    axes.set_xticks([x + 0.5 for x in range(len(versions))], versions, rotation=90, size=8 if len(versions) < 24 else 7)
    axes.xaxis.tick_top()
    axes.set(xlim=(0, len(versions)), ylim=(len(shown), 0))
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    figure.legend(handles=keys, loc="outside lower center", ncols=meaning.KEYS, frameon=False, fontsize=9)
    return figure


def _rows(frame: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Scenarios by theme, each with interfaces whose verdicts are alike on all kernels."""
    found = []
    for scenarios in verdict_tables.themed(dict.fromkeys(frame["scenario"])).values():
        for scenario in scenarios:
            own = frame[frame["scenario"] == scenario]
            together: dict[str, list[str]] = {}
            for name, some in own.groupby("interface", sort=False):
                marks = [(str(one.column), meaning.mark_of(one)) for one in some.itertuples()]
                together.setdefault(str(sorted(marks)), []).append(str(name))
            found += [(scenario, names) for names in together.values()]
    return found


def _short(names: list[str]) -> str:
    """The first interface, and how many are like it."""
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _cell(axes: Any, x: int, y: int, mark: meaning.Mark, size: float) -> None:
    look: dict[str, Any] = {"facecolor": mark.fill, "hatch": mark.hatch, "edgecolor": "#999999", "linewidth": 0}
    axes.add_patch(Rectangle((x + 0.04, y + 0.06), 0.92, 0.88, **look))
    axes.text(x + 0.5, y + 0.52, mark.sign, size=size, weight="bold", color=mark.ink, ha="center", va="center")
