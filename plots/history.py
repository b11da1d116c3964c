# SPDX-License-Identifier: GPL-2.0-only
"""Kernel after kernel: instructions per page of each phase, a step line per interface, dots where a step is claimed."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench.errors import Unsupported
from bench.plan.interfaces import INTERFACES, UNTRACKED, form
from bench.plan.kinds import USUAL_KIND
from bench.plan.records import INSTRUCTIONS, PHASES
from bench.report import numbers
from bench.store.history import order, series
from plots import style

FRAME = "history"  # what plot() takes: see __init__.py
_SPAN = 1.25  # of an axis, at least


def plot(frame: pd.DataFrame) -> Figure:
    """Draw stats/history.py's frame() with `step` and `title`, at the usual case. Raises Unsupported for one kernel."""
    if frame["version"].nunique() < 2:
        raise Unsupported("a history takes two kernels")
    tracked = frame[frame["form"] != UNTRACKED]  # the writes alone are a hundredth of those that are tracked
    usual = tracked[(tracked["kind"] == USUAL_KIND) & (tracked["dirty_percent"] > 0)]
    largest = usual[usual["pages"] == usual["pages"].max()]
    rows = largest[largest["workload"] == largest["workload"].iloc[0]]
    versions = sorted(frame["version"].unique(), key=order)
    phases = [phase for phase in PHASES if phase in set(rows["phase"])]
    looks = _looks(rows)
    first = rows.iloc[0]
    point = f"{first['workload']} {first['dirty_percent']:g}%, {first['pages']:,} pages, {first['kind']}"
    lines = [
        f"instructions, lower is better, logarithmic; {point}; a dot: a step of 1 % or more; a gap: another series",
        str(first["title"]),
    ]
    figure = style.titled("What a page costs, release by release", lines, height=1.9 + 1.75 * len(phases))
    panels = figure.subplots(len(phases), 1, sharex=True, squeeze=False)[:, 0]
    for axes, phase in zip(panels, phases, strict=True):
        _panel(axes, rows[rows["phase"] == phase], versions, looks)
        per = rows.loc[rows["phase"] == phase, "per"].iloc[0]
        axes.set_title(f"{phase}, per {per}", loc="left", size=11, weight="bold")
    panels[-1].set_xticks(range(len(versions)), versions, rotation=90, size=9 if len(versions) < 24 else 7)
    handles = {line.get_label(): line for axes in panels for line in axes.lines if not line.get_label().startswith("_")}
    shown = [name for name in looks if name in handles]
    figure.legend([handles[name] for name in shown], shown, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _looks(rows: pd.DataFrame) -> dict[str, style.Look]:
    """The look of each form, in the order of tables."""
    known = [form(row.name, atomic) for row in INTERFACES.values() for atomic in row.forms]
    names = sorted(map(str, rows["form"].unique()), key=lambda name: known.index(name) if name in known else len(known))
    return style.looks(pd.DataFrame({"form": pd.Categorical(names, names, ordered=True)}))


def _panel(axes: Any, rows: pd.DataFrame, versions: list[str], looks: dict[str, style.Look]) -> None:
    axes.set_yscale("log")
    axes.margins(y=0.15)
    for name, look in looks.items():
        own = rows[rows["form"] == name].set_index("version")
        if own.empty:
            continue
        x, y = _broken(own["per_page"], versions)
        axes.plot(x, y, color=look.color, ls=look.line, lw=1.8, drawstyle="steps-mid", label=name)
        stepped = own[own["step"] == 1]
        at = [versions.index(str(version)) for version in stepped.index]
        axes.plot(at, stepped["per_page"], "o", ms=5, color=look.ink, label="_step", zorder=3)
        bad = own[own["wrong"] > 0]
        for version, value in bad["per_page"].items():
            style.ring(axes, versions.index(str(version)), value)
    low, high = axes.get_ylim()
    if high / low < _SPAN:  # a difference of a few instructions must not look like a step
        middle = np.sqrt(low * high)
        axes.set_ylim(middle / np.sqrt(_SPAN), middle * np.sqrt(_SPAN))
    edges = [i - 0.5 for i in range(1, len(versions)) if series(versions[i]) != series(versions[i - 1])]
    for edge in edges:
        axes.axvline(edge, color="#bbbbbb", lw=0.8, zorder=0)
    axes.set_xlim(-0.6, len(versions) - 0.4)
    axes.grid(visible=False, axis="x")
    unit = numbers.of_quantity(INSTRUCTIONS)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: numbers.tick(value, unit)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _broken(values: "pd.Series[float]", versions: list[str]) -> tuple[list[float], list[float]]:
    """Values along the axis, with a gap after each series and where a kernel has none."""
    x: list[float] = []
    y: list[float] = []
    for i, version in enumerate(versions):
        if i and series(version) != series(versions[i - 1]):
            x, y = [*x, i - 0.5], [*y, np.nan]
        value = values.get(version, np.nan)
        x, y = [*x, i - 0.4, float(i), i + 0.4], [*y, *[value] * 3]
    return x, y
