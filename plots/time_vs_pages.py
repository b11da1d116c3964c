# SPDX-License-Identifier: GPL-2.0-only
"""Cost of one tracking interval against the size of the mapping, a line per interface."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench import results, tables
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py


def plot(rows: pd.DataFrame) -> Figure | None:
    """Draw the headline sweep of results.intervals()' rows. Log-log; us against pages.

    None where the headline is about something else than sizes.
    """
    if results.axis(rows) != "pages":
        return None
    rows = results.sweep(rows)
    figure = style.figure(
        rows,
        "Cost of one tracking interval, by mapping size",
        f"us, lower is better; {tables.shared(rows)}; line: median, band: middle 90% of the rounds",
    )
    axes = figure.subplots()
    ends, wrong = [], []
    for form, look in style.looks(rows).items():
        some = rows[rows["form"] == form]
        cost = 1e6 * some.groupby("pages")["cost"].quantile(np.array([0.05, 0.5, 0.95])).unstack()
        axes.fill_between(cost.index, cost[0.05], cost[0.95], color=look.color, alpha=0.2, linewidth=0)
        axes.plot(cost.index, cost[0.5], color=look.color, linestyle=look.line, marker=look.marker, ms=5, label=form)
        ends.append((float(cost[0.5].iloc[-1]), form, look.ink))
        wrong += style.ring_wrong(axes, some, cost[0.5], "{:,}".format)
    axes.set(
        xscale="log", yscale="log", xlabel="mapping size, pages", ylabel="us per interval, untracked writes deducted"
    )
    style.log_ticks(axes)
    style.size_ticks(axes, rows["pages"])
    style.label_ends(axes, rows["pages"].max(), ends)
    style.list_wrong(axes, wrong)
    return figure
