# SPDX-License-Identifier: GPL-2.0-only
"""Our numbers beside those that others published of the same measurement, which another machine gave."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bench import results, stats
from bench.errors import Unsupported
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py
_THEIRS = ((0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (2, 2)))  # lines, in grey, of another machine


def plot(rows: pd.DataFrame) -> Figure | None:
    """Draw the suites that repeat a published table: log-log, a panel for each of its quantities.

    None for other suites. Raises Unsupported where this machine can't give the quantity.
    """
    suite = str(rows["suite"].iloc[0])
    known = results.published(suite)
    if known is None or suite not in _PANELS:
        return None
    panels = _PANELS[suite](rows, known.frame)
    author = known.about.partition("Source: ")[2].split(",")[0]
    figure = style.figure(
        rows,
        f"This machine and published numbers of another: {suite}",
        f"lower is better; colours: this machine, medians; grey, dashed: ANOTHER MACHINE, {author}",
        height=1.3 + 3.3 * len(panels),
    )
    for axes, (label, ours, theirs) in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        _panel(axes, label, ours, theirs, style.looks(rows), _inexact(rows))
    return figure


Panel = tuple[str, pd.DataFrame, pd.DataFrame]  # label of the y axis; pages x form; pages x published interface


def _wide(known: pd.DataFrame, values: str) -> pd.DataFrame:
    return known.pivot_table(index="pages", columns="interface", values=values, sort=False).sort_index()


def _cycles(rows: pd.DataFrame, known: pd.DataFrame) -> list[Panel]:
    rate = float(rows["tsc_hz"].iloc[0])
    if not rate:
        raise Unsupported("the published numbers are TSC cycles, and the counter is not invariant here")
    ours = stats.medians(rows, ["pages", "form"], "seconds")["median"].unstack() * rate / 1e3
    return [("thousands of TSC cycles", ours, _wide(known, "kilocycles"))]


def _overhead(rows: pd.DataFrame, known: pd.DataFrame) -> list[Panel]:
    panels = []
    for who in ("tracked", "tracker"):
        ours = rows.assign(percent=100 * rows[who] / rows["untracked"])
        theirs = _wide(known[known["charged"] == who], "overhead_percent")
        panels.append((f"{who}, % of the writes", stats.medians(ours, ["pages", "form"], "percent")["median"].unstack(),
                       theirs))  # fmt: skip
    return panels


_PANELS = {"lkml-2022": _cycles, "who-pays": _overhead}


def _inexact(rows: pd.DataFrame) -> set[tuple[int, str]]:
    counts = results.exactness(rows, ["pages", "form"])
    bad = counts[counts["wrong_intervals"] > 0]
    return set(zip(bad["pages"].tolist(), bad["form"].astype(str), strict=True))


def _panel(
    axes: Any,
    label: str,
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
    looks: dict[str, style.Look],
    inexact: set[tuple[int, str]],
) -> None:
    ends = []
    for (name, line), dashes in zip(theirs.items(), _THEIRS, strict=False):
        known = line.dropna()
        axes.plot(known.index, known, color="#777777", linestyle=dashes, marker=".", label=f"{name} (published)")
        ends.append((float(known.iloc[-1]), f"{name} (published)", style.MUTED))
    for form, look in looks.items():
        line = ours[form].dropna() if form in ours else pd.Series(dtype=float)
        line = line[line > 0]
        if line.empty:
            continue
        axes.plot(line.index, line, color=look.color, linestyle=look.line, marker=look.marker, ms=5, label=form)
        ends.append((float(line.iloc[-1]), form, look.ink))
        for pages in (pages for pages in line.index if (pages, form) in inexact):
            style.ring(axes, pages, line[pages])
    if inexact:
        axes.set_title("ringed: wrong pages", loc="left", size=9)
    axes.set(xscale="log", yscale="log", xlabel="mapping size, pages", ylabel=label)
    sizes = {*ours.index.tolist(), *theirs.index.tolist()}
    style.log_ticks(axes)
    style.size_ticks(axes, sizes)
    style.label_ends(axes, max(sizes), ends)
