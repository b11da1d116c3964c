# SPDX-License-Identifier: GPL-2.0-only
"""What each interface made of each scenario: exact, extra, missed, not possible; a column for each kernel."""

from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from bench.errors import Unsupported
from bench.report import numbers, tables
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
GAP = 0.35  # columns, between two interfaces


def plot(frame: pd.DataFrame) -> Figure:
    """Draw the verdicts of report/meaning.py's frame() as a matrix. Raises Unsupported where nothing was played."""
    played = frame.groupby("interface")["plays"].transform("max") > 0
    frame = frame[played]  # others would be hatched from top to bottom
    if frame.empty:
        raise Unsupported("no interface could be played with")
    scenarios = list(dict.fromkeys(frame["scenario"]))
    several = frame["column"].nunique() > 1
    lines = [_legend(frame, counts=not several), _machines(frame)]
    figure = style.titled("Pages reported against pages written", lines, height=2.1 + ROW * len(scenarios))
    axes = figure.subplots()
    places = _places(frame)
    for row in frame.itertuples():
        x = places[str(row.interface), str(row.column)]
        _cell(axes, x, scenarios.index(str(row.scenario)), row, counts=not several)
    axes.set(xlim=(-0.05, max(places.values()) + 1.05), ylim=(len(scenarios), 0))
    axes.set_yticks([i + 0.5 for i in range(len(scenarios))], scenarios, size=8)
    _heads(axes, places, several=several)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    shown = [name for name in MARKS if name != "failed" or (frame["verdict"] == name).any()]
    keys = [_key(name) for name in shown]
    figure.legend(handles=keys, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _legend(frame: pd.DataFrame, *, counts: bool) -> str:
    """What a cell says."""
    text = (
        f"every cell: the worst of {numbers.many(int(frame['plays'].max()), 'play')}; exact: just the pages whose "
        "content changed; extra: pages that nobody wrote, too; missed: not all that were written"
    )
    unsteady = counts and bool(frame["text"].str.endswith("~").any())
    return f"{text}{'; numbers: pages' * counts}{'; ~: not every time' * unsteady}"


def _machines(frame: pd.DataFrame) -> str:
    """The kernels, by kind of machine: Linux 6.1.176, 6.12.117, TCG emulation; Linux 6.18.44, KVM."""
    columns = frame.drop_duplicates(["column", "where"]).groupby("where", sort=False)["column"].agg(", ".join)
    known = columns.rename("kernel_release").reset_index()
    return "; ".join(tables.where(known.iloc[[i]]) for i in range(len(known)))


def _places(frame: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Left edge of each column, by interface and kernel; those of one interface stand together."""
    columns = frame[["interface", "column"]].drop_duplicates()
    found: dict[tuple[str, str], float] = {}
    for i, interface in enumerate(columns["interface"].unique()):
        for kernel in columns.loc[columns["interface"] == interface, "column"]:
            found[interface, kernel] = len(found) + GAP * i
    return found


def _heads(axes: Any, places: dict[tuple[str, str], float], *, several: bool) -> None:
    """Name the columns: the interface, or the kernel, with the interface below all of its own."""
    names = [kernel if several else interface for interface, kernel in places]
    at = [place + 0.5 for place in places.values()]
    axes.set_xticks(at, names, rotation=90 if several else 0, size=8 if several else 9)
    axes.xaxis.tick_top()
    for name in dict.fromkeys(interface for interface, _ in places) if several else ():
        own = [place for (interface, _), place in places.items() if interface == name]
        below = {"xytext": (0, -5), "textcoords": "offset points", "xycoords": axes.get_xaxis_transform()}
        axes.annotate(name, (sum(own) / len(own) + 0.5, 0), ha="center", va="top", size=9, weight="bold", **below)


def _cell(axes: Any, x: float, y: int, row: Any, *, counts: bool) -> None:
    """One verdict; with its pages where there is room for them."""
    mark = MARKS[row.verdict]
    if mark.sign and not row.breaks_contract:
        mark = MARKS[f"{row.verdict}, by contract"]
    look: dict[str, Any] = {"facecolor": mark.fill, "hatch": mark.hatch, "edgecolor": "#999999", "linewidth": 0}
    axes.add_patch(Rectangle((x + 0.04, y + 0.06), 0.92, 0.88, **look))
    if mark.sign:
        text = {"ha": "center", "va": "center", "color": mark.ink, "size": 9 if counts else 7, "weight": "bold"}
        axes.text(x + 0.5, y + 0.52, row.text if counts else mark.sign, **text)


def _key(name: str) -> Patch:
    mark = MARKS[name]
    label = f"{mark.sign} {name}".strip()
    return Patch(facecolor=mark.fill, hatch=mark.hatch, edgecolor="#999999", linewidth=0.5, label=label)
