# SPDX-License-Identifier: GPL-2.0-only
"""What a page costs in folios of each order, over what it costs in order-0: a panel for each phase, a line per form."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.plan.kinds import KINDS, USUAL_KIND
from bench.report import batching, numbers, tables
from bench.stats import choice
from plots import style

FRAME = "intervals"  # what plot() takes: see __init__.py
_SAME = ["workload", "pages", "setting"]  # what else tells points apart
_PHASES = {"reset": "reset", "dirty": "tracked writes", "collect": "collect", "collect_reset": "collect + reset"}


def plot(rows: pd.DataFrame) -> Figure | None:
    """Draw per_page() over order-0's, at the headline's point. None where folios of one order were not measured."""
    rows = rows[rows["orders_before"].astype(str) != ""]
    kinds = [name for name in rows["kind"].unique() if KINDS[name].folio]
    if not kinds or not (rows["kind"] == USUAL_KIND).any():
        return None
    rows = choice.usual(rows[rows["kind"].isin([USUAL_KIND, *kinds])])
    one = rows[rows["kind"].isin(kinds)][_SAME].iloc[0]
    rows = rows[(rows[_SAME] == one).all(axis=1)]
    looks = style.looks(rows)
    costs = {form: batching.per_page(rows[rows["form"] == form]) for form in looks}
    first = rows[rows["kind"] == USUAL_KIND]
    figure = style.figure(
        rows,
        "Cost of a page by the order of its folio",
        f"{numbers.unit(rows).title} a page over those of order-0, lower is better; {tables.describe(first)}; "
        f"order-0: {tables.memory(first)}",
    )
    panels: Any = figure.subplots(2, 2, sharex=True, sharey=True)
    for axes, (phase, title) in zip(panels.flat, _PHASES.items(), strict=True):
        for form, look in looks.items():
            named = f"{form} {style.wrong(rows[rows['form'] == form])}".strip()
            _line(axes, costs[form][phase], look, named)
        axes.axhline(1, color=style.MUTED, linewidth=1, zorder=1, label="_even")
        axes.set_title(title, size=11)
    orders = sorted({0, *(KINDS[name].order or 0 for name in kinds)})
    panels[1, 0].set_xticks(orders, map(str, orders))
    axes.set_ylim(0, max(1.25, 1.05 * axes.get_ylim()[1]))  # all share it
    for one in panels[1]:
        one.set_xlabel("order of the folio")
    for one in panels[:, 0]:
        one.set_ylabel("ratio to order-0")
    handles = {label: line for axes in panels.flat for line, label in zip(*axes.get_legend_handles_labels(),
                                                                        strict=True)}  # fmt: skip
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=style.columns(handles), frameon=False
    )
    return figure


def _line(axes: Any, cost: "pd.Series[float]", look: style.Look, named: str) -> None:
    """One form's phase: cost by kind."""
    usual = cost[USUAL_KIND]
    known = {KINDS[name].order or 0: cost[name] / usual for name in cost.index if name == USUAL_KIND or
             KINDS[name].folio}  # fmt: skip
    if not np.isfinite(usual) or usual <= 0:
        return
    orders = sorted(known)
    values = [known[order] for order in orders]
    axes.plot(orders, values, color=look.color, linestyle=look.line, marker=look.marker, ms=5, label=named)
