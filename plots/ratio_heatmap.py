# SPDX-License-Identifier: GPL-2.0-only
"""How many times less the ioctl takes than the legacy interface, over mapping size and dirty fraction."""

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench.errors import Unsupported
from bench.plan.interfaces import INTERFACES, IOCTL, LEGACY
from bench.report import numbers
from bench.stats import choice, samples
from bench.store import frames
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py


def plot(rows: pd.DataFrame) -> Figure:
    """Draw the headline's workload of frames.intervals()' rows. Raises Unsupported without both interfaces."""
    challenger = choice.challenger(rows)
    if challenger is None:
        raise Unsupported(f"a ratio needs both {LEGACY} and {IOCTL[-1]}")
    workload = choice.sweep(rows)["workload"].iloc[0]
    rows = choice.like_headline(rows)
    rows = rows[rows["workload"] == workload]
    ratios = samples.ratios(rows, ["dirty_percent", "pages"], "cost", LEGACY, challenger)["median"].unstack()
    ratios = ratios.where(np.isfinite(ratios) & (ratios > 0)).sort_index(ascending=False)
    if ratios.isna().all(axis=None):
        raise Unsupported("every ratio is lost in noise")
    blank = "; blank: not measured or lost in noise" if ratios.isna().any(axis=None) else ""
    unit, legacy = numbers.unit(rows), INTERFACES[LEGACY].heading or LEGACY
    counted = f"Times {unit.less}: {challenger} against {LEGACY}"
    figure = style.figure(
        rows,
        counted if unit.counted else f"Speedup of {challenger} over {LEGACY}",
        f"cost with {legacy} / cost with {challenger}; higher is better; hatched: {unit.more}; {workload}; "
        f"medians{blank}",
        height=1.9 + 0.45 * len(ratios),
    )
    axes = figure.subplots()
    _cells(axes, ratios, _wrong(rows, challenger))
    axes.set_xticks(range(ratios.shape[1]), [f"{pages:,}" for pages in ratios.columns])
    axes.set_yticks(range(ratios.shape[0]), [f"{dirty:g}%" for dirty in ratios.index])
    axes.set(xlabel="mapping size, pages", ylabel="dirty")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _cells(axes: Any, ratios: pd.DataFrame, wrong: set[tuple[float, int]]) -> None:
    """Colour each cell by the logarithm of its ratio and write the ratio into it."""
    dirty, pages, logs = ratios.index.to_numpy(), ratios.columns.to_numpy(), np.log10(ratios.to_numpy())
    # light to dark only: the sign of the logarithm must survive a grey printer, so it is hatched, not coloured
    top = max(1.0, np.nanmax(logs))
    image = axes.imshow(logs, cmap=matplotlib.colormaps["Blues"], vmin=-0.3, vmax=top, aspect="auto")
    for (y, x), value in np.ndenumerate(logs):
        if np.isnan(value):
            continue
        fill = image.cmap(image.norm(value))
        patch = None
        if value < 0:
            axes.add_patch(
                Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, hatch="///", edgecolor="#D55E00", linewidth=0)
            )
            patch = {"facecolor": fill, "edgecolor": "none", "pad": 2}
        mark = "\nwrong" if (float(dirty[y]), int(pages[x])) in wrong else ""
        color = "white" if sum(fill[:3]) < 1.5 else "black"
        text = numbers.times(10**value) + mark
        axes.text(x, y, text, ha="center", va="center", weight="bold", color=color, bbox=patch)


def _wrong(rows: pd.DataFrame, challenger: str) -> set[tuple[float, int]]:
    """(dirty percent, pages) where one of the two did not report exactly what was written."""
    counts = frames.exactness(rows[rows["form"].isin([LEGACY, challenger])])
    bad = counts[counts["wrong_intervals"] > 0]
    return set(zip(bad["dirty_percent"].tolist(), bad["pages"].tolist(), strict=True))
