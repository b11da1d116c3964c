# SPDX-License-Identifier: GPL-2.0-only
"""What each interface made of each scenario: exact, extra, missed, not possible; a column for each kernel."""

from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from bench.errors import Unsupported
from plots import style

FRAME = "meaning"  # what plot() takes: see __init__.py


class Mark(NamedTuple):
    """How a verdict looks: told apart by lightness, by sign and by colour, each alone enough."""

    fill: str
    sign: str
    ink: str
    hatch: str = ""


MARKS = {
    "exact": Mark("#D6ECF9", "", "black"),
    "extra": Mark("#E69F00", "+", "black"),
    "missed": Mark("#7A2E00", "-", "white"),
    "not possible": Mark("#FFFFFF", "", "black", "////"),
    "failed": Mark("#000000", "!", "white"),
    "extra, by contract": Mark("#F6E3BC", "(+)", "black"),
    "missed, by contract": Mark("#BF957D", "(-)", "black"),
}
ROW = 0.165  # inches
LEFT = 1.75


def plot(frame: pd.DataFrame) -> Figure:
    """Draw the verdicts of meaning_report.frame()'s rows as a matrix."""
    frame = frame[
        frame.groupby("interface")["plays"].transform("max") > 0
    ]  # others would be hatched from top to bottom
    if frame.empty:
        raise Unsupported("no interface could be played with")
    scenarios = list(dict.fromkeys(frame["scenario"]))
    columns = list(dict.fromkeys(zip(frame["interface"], frame["column"], strict=True)))
    order = list(dict.fromkeys(frame["interface"]))
    columns.sort(key=lambda one: order.index(one[0]))
    kernels = list(dict.fromkeys(frame["column"]))
    figure = style.titled(
        "What is reported against what was written",
        [
            f"Linux {', '.join(kernels)}; the gravest of {frame['plays'].max()} plays",
        ],
        height=1.95 + ROW * len(scenarios),
    )
    axes = figure.subplots()
    places, x = {}, 0.0
    for i, column in enumerate(columns):
        x += 0.35 if i and column[0] != columns[i - 1][0] else 0
        places[column] = x
        x += 1
    for row in frame.itertuples():
        _cell(
            axes, places[row.interface, row.column], scenarios.index(str(row.scenario)), row, counts=len(kernels) == 1
        )
    axes.set(xlim=(-0.05, x + 0.05), ylim=(len(scenarios), 0))
    axes.set_yticks([i + 0.5 for i in range(len(scenarios))], scenarios, size=8)
    several = len(kernels) > 1
    axes.set_xticks(
        [place + 0.5 for place in places.values()],
        [kernel if several else name for name, kernel in places],
        rotation=90 if several else 0,
        size=8 if several else 9,
    )
    axes.xaxis.tick_top()
    if several:
        for name in order:
            own = [place for (interface, _), place in places.items() if interface == name]
            axes.text(
                sum(own) / len(own) + 0.5, len(scenarios) + 0.3, name, ha="center", va="top", size=9, weight="bold"
            )
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    figure.legend(
        handles=[_key(name) for name in MARKS if name != "failed" or (frame["verdict"] == name).any()],
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=9,
    )
    return figure


def _cell(axes: Any, x: float, y: int, row: Any, *, counts: bool) -> None:
    mark = MARKS[row.verdict]
    if mark.sign and not row.breaks_contract:
        mark = MARKS[f"{row.verdict}, by contract"]
    place = (x + 0.04, y + 0.06)
    axes.add_patch(
        Rectangle(place, 0.92, 0.88, facecolor=mark.fill, hatch=mark.hatch, edgecolor="#999999", linewidth=0)
    )
    if mark.sign:
        text = row.text if counts else mark.sign
        axes.text(
            x + 0.5, y + 0.52, text, ha="center", va="center", color=mark.ink, size=9 if counts else 7, weight="bold"
        )


def _key(name: str) -> Patch:
    mark = MARKS[name]
    label = f"{mark.sign} {name}".strip()
    return Patch(facecolor=mark.fill, hatch=mark.hatch, edgecolor="#999999", linewidth=0.5, label=label)
