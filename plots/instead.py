# SPDX-License-Identifier: GPL-2.0-only
"""Whether tracking pays: its cost over the cheapest way without it, by size; a panel per job and share written."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.stats import instead
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py
_JOBS = {"copy": "copies", "wipe": "wipes"}


def plot(rows: pd.DataFrame) -> Figure | None:
    """Draw instead.against() of frames.intervals()' rows. None where no job was done without tracking."""
    found = instead.against(rows)
    found = found[found["ratio"].notna()]
    if found.empty:
        return None
    jobs = [job for job in _JOBS if (found["then"] == job).any()]
    shares = sorted(found["dirty_percent"].unique())
    names = {form: f"{form} {style.wrong(rows[rows['form'] == form])}".strip() for form in style.looks(rows)}
    figure = style.figure(
        rows,
        "Cost over that of the cheapest way without tracking",
        f"{style.cost(rows)}; below the line at 1 tracking pays; against: the cheapest without it at the largest size",
        height=2.2 + 2.3 * len(jobs),
    )
    panels: Any = figure.subplots(len(jobs), len(shares), sharex=True, sharey="row", squeeze=False)
    for line, job in zip(panels, jobs, strict=True):
        ratios = 1 / found.loc[found["then"] == job, "ratio"]
        limits = min(ratios.min() / 1.5, 0.5), max(ratios.max() * 1.5, 2)
        for axes, share in zip(line, shares, strict=True):
            own = found[(found["then"] == job) & (found["dirty_percent"] == share)]
            _panel(axes, own.assign(named=own["form"].map(names)), style.looks(rows), limits)
            style.size_ticks(axes, own["pages"], len(shares))
            axes.tick_params(axis="x", labelsize=9)
            cheapest = [""] if own.empty else [f"against {own.sort_values('pages')['cheapest'].iloc[-1]}"]
            axes.set_title("\n".join([f"{_JOBS[job]} {share:g}%", *cheapest]), size=10)
        line[0].set_ylabel("cost / without")
    for axes in panels[-1]:
        axes.set_xlabel("pages")
    handles = {label: drawn for axes in panels.flat for drawn, label in zip(*axes.get_legend_handles_labels(),
                                                                         strict=True)}  # fmt: skip
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=style.columns(handles), frameon=False
    )
    return figure


def _panel(axes: Any, own: pd.DataFrame, looks: dict[str, style.Look], limits: tuple[float, float]) -> None:
    """One job at one share of written pages."""
    for form, look in looks.items():
        some = own[own["form"] == form].sort_values("pages")
        if not some.empty:
            axes.plot(some["pages"], 1 / some["ratio"], color=look.color, linestyle=look.line, marker=look.marker, ms=4,
                      label=some["named"].iloc[0])  # fmt: skip
    axes.set(xscale="log", yscale="log", ylim=limits)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}x"))
    axes.axhline(1, color="black", linewidth=1, zorder=1, label="_even")
    axes.axhspan(limits[0], 1, color="#009E73", alpha=0.08, linewidth=0, label="_pays")
