# SPDX-License-Identifier: GPL-2.0-only
"""How many times as fast as one several are, against their number: writers, scanners, trackers, processes."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from bench.errors import Unsupported
from bench.plan.interfaces import UNTRACKED
from bench.stats import samples, scaling
from bench.stats.scaling import Axis
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py
IDEAL = "ideal"


def plot(rows: pd.DataFrame) -> Figure | None:
    """Draw the largest mapping of each of scaling.AXES in frames.intervals()' rows, both axes logarithmic.

    None where nothing was measured with several. Raises Unsupported where instructions were counted.
    """
    sweeps = {axis: list(scaling.sweeps(rows, axis)) for axis in scaling.AXES}
    found = {axis: max(some, key=_pages) for axis, some in sweeps.items() if some}
    if not found:
        return None
    if samples.counted(rows):
        raise Unsupported("scaling needs times: counted instructions of several threads are those of one CPU, added up")
    first = next(iter(found.values())).iloc[0]
    what = f"{first['workload']} {first['dirty_percent']:g}%, {first['pages']:,} pages"
    details = f"higher is better; {what}; line: median of one / that of several; bar: 95% CI or what there is"
    drawn = pd.concat(found.values())
    figure = style.figure(drawn, "How many times as fast as one several are", details, height=5.2)
    panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    looks = style.looks(rows)
    for panel, (axis, some) in zip(panels, found.items(), strict=True):
        _panel(panel, axis, some, looks)
    panels[0].set_ylabel("times as fast as one (log)")
    lines = {str(line.get_label()): line for panel in panels for line in panel.get_lines()}
    named = [name for name in (IDEAL, UNTRACKED, *looks) if name in lines]
    labels = [f"{name} {style.wrong(drawn[drawn['form'] == name]) if name in looks else ''}".strip() for name in named]
    figure.legend([lines[name] for name in named], labels, loc="outside lower center", ncols=3)
    return figure


def _pages(rows: pd.DataFrame) -> int:
    return int(rows["pages"].iloc[0])


def _panel(panel: Any, axis: Axis, rows: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    """One axis: the number of them against how much faster they are."""
    counts = sorted(int(n) for n in rows[axis.key].unique())
    panel.plot(counts, counts, color=style.MUTED, linestyle=(0, (1, 2)), linewidth=1.2, label=IDEAL)
    made = scaling.speedups(rows, axis)
    for form in dict.fromkeys(made.index.get_level_values("form")):
        own = made.loc[form].dropna(subset=["speedup"])
        look = looks.get(str(form), _UNTRACKED)
        _ring(panel, axis, rows[rows["form"] == form], own["speedup"])
        sides = [(own["speedup"] - own["low"]).clip(0), (own["high"] - own["speedup"]).clip(0)]
        panel.errorbar(own.index, own["speedup"], sides, fmt="none", ecolor=look.ink, capsize=2.5, zorder=1.9)
        panel.plot(own.index, own["speedup"], color=look.color, linestyle=look.line, marker=look.marker, ms=5,
                   label=str(form))  # fmt: skip
    panel.set(xscale="log", yscale="log", xlabel=axis.key)
    panel.set_title(_TITLES[axis.key], size=10)
    shown = counts[:: 1 if len(counts) < 6 else 2]
    panel.set_xticks(shown, [str(n) for n in shown])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_minor_locator(NullLocator())
    low, high = panel.get_ylim()
    ticks = [2.0**power for power in range(-10, 11) if low <= 2.0**power <= high]
    panel.set_yticks(ticks)
    panel.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}x"))


def _ring(panel: Any, axis: Axis, rows: pd.DataFrame, line: "pd.Series[float]") -> None:
    """Ring the numbers of one form's line at which not every interval was exact."""
    for n in rows[rows["wrong_intervals"] > 0][axis.key].unique():
        if n in line.index:
            style.ring(panel, float(n), float(line[n]))


_UNTRACKED = style.Look(style.MUTED, "-", "o", style.MUTED)
_TITLES = {"writers": "the writes", **dict.fromkeys(("scanners", "trackers", "targets"), "reset and collect")}
