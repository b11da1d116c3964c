# SPDX-License-Identifier: GPL-2.0-only
"""The table of the suite batching: what a page costs in folios of each order, beside order-0, phase by phase."""

import math
from typing import Any

import pandas as pd

from bench.plan.kinds import KINDS, USUAL_KIND, Kind
from bench.report import numbers, tables
from bench.report.layout import grid, note, paragraph
from bench.report.numbers import three
from bench.stats import samples
from bench.store import frames
from bench.store.frames import POINT

PHASES = ("reset", "dirty", "collect", "collect_reset")
_SAME = [key for key in POINT if key != "kind"]


def table(rows: pd.DataFrame) -> str:
    """Cost a page of each phase on each kind of memory, and its ratio to order-0's; empty where that is not beside."""
    if (rows["orders_before"].astype(str) == "").all() and any(
        KINDS[str(name)].folio for name in rows["kind"].unique()
    ):
        return paragraph("No table by order: nobody could look at folios, since page frame numbers are root's alone.")
    rows = rows[rows["orders_before"].astype(str) != ""]
    if rows["kind"].nunique() < 2 or not (rows["kind"] == USUAL_KIND).any():
        return ""
    unit = numbers.small(rows)
    body: list[list[str]] = []
    for _, some in rows.groupby(_SAME, observed=True, sort=False):
        for form, own in some.groupby("form", observed=True):
            body += [[]] if body else []
            body += [[f"{form}, {tables.describe(own[own['kind'] == own['kind'].iloc[0]]).split(', kind=')[0]}"]]
            body += _lines(per_page(own), own, unit)
    heads = [["memory", "order", "reset", "x", "dirty", "x", "collect", "x"]]
    title = f"Cost of a page by the order of its folio, {unit.title} (median), lower is better"
    legend = (
        "reset and collect per page of the mapping, atomic ones under collect; dirty: the writes that were tracked, "
        "untracked ones deducted, per written page; x = ratio to order-0; order = of all pages, looked up before and "
        "after each interval, or what else there was in percent"
    )
    return "\n".join([paragraph(title), paragraph(tables.where(rows)), "", grid(heads, body), note(legend)])


def per_page(rows: pd.DataFrame) -> pd.DataFrame:
    """Median cost of a page, by kind, of each of PHASES, in the frame's unit; NaN where a form has no such phase."""
    pages, written = rows["pages"], rows["written_pages"]
    own = rows.assign(
        reset=rows["reset"] / pages,
        dirty=rows["tracked"] / written,
        collect=rows["collect"] / pages,
        collect_reset=rows["collect_reset"] / pages,
    )
    return pd.DataFrame({phase: samples.medians(own, ["kind"], phase)["median"] for phase in PHASES})


def _lines(cost: pd.DataFrame, rows: pd.DataFrame, unit: numbers.Unit) -> list[list[str]]:
    """A line for each kind, order-0 first."""
    usual: Any = cost.loc[USUAL_KIND]
    wrong = frames.exactness(rows, ["kind"]).set_index("kind")["wrong_intervals"]
    found = []
    for kind in sorted(cost.index, key=lambda name: _rank(KINDS[name])):
        own: Any = cost.loc[kind]
        cells = [cell for phase in ("reset", "dirty") for cell in _cells(own[phase], usual[phase], unit)]
        once = "collect_reset" if math.isnan(own["collect"]) else "collect"
        cells += _cells(own[once], usual[once], unit)
        star = "*" if wrong.get(kind, 0) else ""
        found.append([f"  {star}{kind}", orders(rows[rows["kind"] == kind]), *cells])
    return found


def _rank(kind: Kind) -> tuple[int, bool]:
    """Order-0 first, then larger and larger folios, huge pages that are mapped whole last."""
    return kind.folio or kind.unit, not kind.folio


def _cells(value: float, usual: float, unit: numbers.Unit) -> list[str]:
    if math.isnan(value):
        return ["", ""]
    return [three(value * unit.factor), f"{value / usual:.3f}" if usual > 0 else "?"]


def orders(rows: pd.DataFrame) -> str:
    """Of what orders the memory of rows was, over all processes: 4; or 4 98% 0 2%; and what it became: 9>0 2% 9 98%."""
    ends = [_shares(rows[key]) for key in ("orders_before", "orders_after")]
    same = ends[0] == ends[1] and not rows["orders_changed"].any()
    return ends[0] if same else f"{ends[0]}>{ends[1]}"


def _shares(texts: "pd.Series[str]") -> str:
    """Pages by order, as 4:16384 none:12 of each process, in percent; all in one order: that one."""
    total: dict[str, int] = {}
    for text in texts.astype(str):
        for one in text.split():
            order, _, pages = one.partition(":")
            total[order] = total.get(order, 0) + int(pages)
    if len(total) == 1:
        return next(iter(total))
    return " ".join(f"{order} {100 * pages / sum(total.values()):.0f}%" for order, pages in total.items())
