# SPDX-License-Identifier: GPL-2.0-only
"""Our numbers beside those that others published of the same measurement, which another machine gave."""

from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from bench.errors import Unsupported
from bench.plan.records import TIME
from bench.report import numbers
from bench.report.numbers import Unit
from bench.stats import samples
from bench.store import frames
from bench.store.published import published
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py
_THEIRS = ((0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (2, 2)))  # lines, in grey, of another machine
_PERCENT = Unit(1.0, "% of the writes", "%")


def plot(rows: pd.DataFrame) -> Figure | None:
    """Draw the suites that repeat a published table: log-log, a panel for each of its quantities.

    None for other suites. Raises Unsupported where this machine can't give the quantity.
    """
    suite = str(rows["suite"].iloc[0])
    known = published(suite)
    found = [panels for column, panels in _PANELS.items() if known and column in known.frame]
    if known is None or not found:
        return None
    if rows["quantity"].iloc[0] != TIME:
        raise Unsupported(f"the published numbers are of time, these of {rows['quantity'].iloc[0]}")
    what, make = found[0]
    panels = make(rows, known.frame)
    author = known.about.partition("Source: ")[2].split(",")[0]
    figure = style.figure(
        rows,
        f"This machine and published numbers of another: {suite}",
        f"{what}, lower is better; colours: this machine, medians; grey: ANOTHER MACHINE, {author}",
        height=1.3 + 3.3 * len(panels),
    )
    for axes, one in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        _panel(axes, one, style.looks(rows), _inexact(rows))
    return figure


class Panel(NamedTuple):
    """One panel: its y axis, our numbers (pages x form), theirs (pages x published interface)."""

    label: str
    unit: Unit
    ours: pd.DataFrame
    theirs: pd.DataFrame


def _wide(known: pd.DataFrame, values: str) -> pd.DataFrame:
    return known.pivot_table(index="pages", columns="interface", values=values, sort=False).sort_index()


def _cycles(rows: pd.DataFrame, known: pd.DataFrame) -> list[Panel]:
    cycles = frames.in_cycles(rows)
    if cycles is None:
        raise Unsupported("the published numbers are TSC cycles, and the counter is not invariant here")
    unit = numbers.unit(cycles)
    ours = unit.factor * samples.medians(cycles, ["pages", "form"], "interval")["median"].unstack()
    return [Panel(f"{unit.title} per interval", unit, ours, _wide(known, "kilocycles"))]


def _overhead(rows: pd.DataFrame, known: pd.DataFrame) -> list[Panel]:
    panels = []
    for who in ("tracked", "tracker"):
        percent = rows.assign(percent=100 * rows[who] / rows["untracked"])
        ours = samples.medians(percent, ["pages", "form"], "percent")["median"].unstack()
        theirs = _wide(known[known["charged"] == who], "overhead_percent")
        panels.append(Panel(f"{who}, {_PERCENT.title}", _PERCENT, ours, theirs))
    return panels


_PANELS = {  # by the column of the published table: what the panels show, and how to make them
    "kilocycles": ("whole intervals, their writes included", _cycles),
    "overhead_percent": ("what tracking adds to the writes", _overhead),
}


def _inexact(rows: pd.DataFrame) -> set[tuple[int, str]]:
    counts = frames.exactness(rows, ["pages", "form"])
    bad = counts[counts["wrong_intervals"] > 0]
    return set(zip(bad["pages"].tolist(), bad["form"].astype(str), strict=True))


def _panel(axes: Any, one: Panel, looks: dict[str, style.Look], inexact: set[tuple[int, str]]) -> None:
    ends = []
    for (name, line), dashes in zip(one.theirs.items(), _THEIRS, strict=False):
        known = line.dropna()
        axes.plot(known.index, known, color="#777777", linestyle=dashes, marker=".", label=f"{name} (published)")
        ends.append((float(known.iloc[-1]), known.index[-1], f"{name} (published)", style.MUTED))
    for form, look in looks.items():
        line = one.ours[form].dropna() if form in one.ours else pd.Series(dtype=float)
        line = line[line > 0]
        if line.empty:
            continue
        axes.plot(line.index, line, color=look.color, linestyle=look.line, marker=look.marker, ms=5, label=form)
        ends.append((float(line.iloc[-1]), line.index[-1], form, look.ink))
        for pages in (pages for pages in line.index if (pages, form) in inexact):
            style.ring(axes, pages, line[pages])
    if inexact:
        axes.set_title("ringed: wrong pages", loc="left", size=9)
    axes.set(xscale="log", yscale="log", xlabel="mapping size, pages", ylabel=one.label)
    sizes = {*one.ours.index.tolist(), *one.theirs.index.tolist()}
    style.ticks(axes.yaxis, one.unit)
    style.size_ticks(axes, sizes)
    style.label_ends(axes, ends)
