# SPDX-License-Identifier: GPL-2.0-only
"""Tables that answer what single suites ask: cycles, overhead in percent, cost per page, arming; published ones."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from bench import results, stats, tables

_WRITES = "the program's own writes included"


def answers(suite: str, rows: pd.DataFrame) -> list[str]:
    """The tables that this suite has beside those of every report; rows of results.intervals()."""
    return [table(rows) for table in _TABLES.get(suite, ())]


def _columns(
    rows: pd.DataFrame, column: str, scale: Callable[[Any], str], factor: float = 1.0
) -> tuple[list[int], dict[str, list[str]]]:
    """Medians by pages and form, as text; * where not every interval was exact."""
    medians = stats.medians(rows, ["pages", "form"], column)["median"] * factor
    wrong = results.exactness(rows, ["pages", "form"]).set_index(["pages", "form"])["wrong_intervals"]
    sizes = sorted(rows["pages"].unique())
    forms = [form for form in rows["form"].cat.categories if form in medians.index.get_level_values("form")]

    def cell(key: tuple[int, str]) -> str:
        return ("*" if wrong[key] else "") + scale(medians[key]) if key in medians.index else ""

    return sizes, {form: [cell((pages, form)) for pages in sizes] for form in forms}


def _short(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"


def _table(title: str, rows: pd.DataFrame, sizes: list[int], columns: dict[str, list[str]], *notes: str) -> str:
    lines = [title, tables.memory(rows), tables.where(rows)]
    bad = any(cell.startswith("*") for cells in columns.values() for cell in cells)
    more = ["* = not every interval was exact"] if bad else []
    body = "\n\n".join(tables.blocks("pages", sizes, columns))
    return "\n".join([*map(tables.paragraph, lines), "", body, *map(tables.note, [*notes, *more])])


def _published(title: str, found: results.Published, columns: str, values: str) -> str:
    """A published table, under a title that says that it is another machine's."""
    wide = found.frame.pivot_table(index="pages", columns=columns, values=values, sort=False).sort_index()
    cells = {str(name): ["" if np.isnan(x) else _short(x) for x in wide[name]] for name in wide}
    body = "\n\n".join(tables.blocks("pages", list(wide.index), cells))
    return "\n".join([tables.paragraph(f"PUBLISHED, ANOTHER MACHINE: {title}"), "", body, tables.note(found.about)])


def cycles(rows: pd.DataFrame) -> str:
    """Thousands of TSC cycles of a whole interval, and the table of 2022."""
    rate = float(rows["tsc_hz"].iloc[0])
    known = results.published("lkml-2022")
    parts = []
    if rate:
        sizes, columns = _columns(rows, "seconds", _short, rate / 1e3)
        title = f"One whole interval, {_WRITES}, thousands of TSC cycles (median), lower is better"
        note = f"TSC: {rate / 1e6:.0f} MHz, invariant: cycles of a fixed rate, not of the core"
        parts.append(_table(title, rows, sizes, columns, note))
    else:
        parts.append(tables.paragraph("No TSC cycles: this machine's time stamp counter is not invariant."))
    if known:
        title = "thousands of rdtsc cycles, lower is better"
        parts.append(_published(title, known, "interface", "kilocycles"))
    return "\n\n".join(parts)


def faults(rows: pd.DataFrame) -> str:
    """What the first write to a page costs more, per page, at the largest mapping; and the published latencies."""
    top = rows[rows["pages"] == rows["pages"].max()].copy()
    top["fault"] = top["tracked"] / top["written_pages"]
    medians = stats.medians(top, ["form"], "fault")
    body = [[str(form), tables.us(row["median"]), tables.spread(row)] for form, row in medians.iterrows()]
    known = results.published("fault-latency")
    title = f"What tracking adds to the first write of a page, us (median), lower is better; {tables.describe(top)}"
    text = [tables.paragraph(title), tables.paragraph(tables.where(rows)), ""]
    text.append(tables.grid([["", "us", "+-"]], body))
    if known:
        text += ["", tables.paragraph("PUBLISHED, ANOTHER MACHINE: us per fault, lower is better"), ""]
        cells = [[str(one.interface), f"{one.microseconds_per_fault:g}"] for one in known.frame.itertuples()]
        text += [tables.grid([["", "us"]], cells), tables.note(known.about)]
    return "\n".join(text)


def overhead(rows: pd.DataFrame) -> str:
    """Tracked and tracker overhead in percent of the untracked writes, and the published table."""
    rows = rows.assign(**{who: 100 * rows[who] / rows["untracked"] for who in ("tracked", "tracker")})
    known = results.published("who-pays")
    parts = []
    for who, what in (
        ("tracked", "the tracked program's writes take longer"),
        ("tracker", "the tracker's phases take"),
    ):
        sizes, columns = _columns(rows, who, _short)
        title = f"Overhead: how much {what}, % of the untracked writes (median), lower is better"
        parts.append(_table(title, rows, sizes, columns))
        if known:
            some = known._replace(frame=known.frame[known.frame["charged"] == who])
            parts.append(_published(f"overhead on the {who} process, %", some, "interface", "overhead_percent"))
    return "\n\n".join(parts)


def per_page(rows: pd.DataFrame) -> str:
    """Cost per page of the mapping at each size, and a line fitted to it: fixed cost and cost per page."""
    rows = results.sweep(rows)
    rows = rows.assign(per_page=rows["cost"] / rows["pages"])
    sizes, columns = _columns(rows, "per_page", _short, 1e9)
    title = f"Cost per page of the mapping, ns (median), lower is better; {tables.shared(rows)}"
    body = []
    for form, fixed, page, worst in fits(rows):
        body.append([form, f"{1e6 * fixed:.3g}", f"{1e9 * page:.3g}", f"{100 * worst:.0f}%"])
    heads = [["cost = a + b x pages", "a, us", "b, ns", "worst"]]
    note = "least squares of the relative error over all sizes; worst = furthest that a size is from the line"
    return "\n".join([_table(title, rows, sizes, columns), "", tables.grid(heads, body), tables.note(note)])


def fits(rows: pd.DataFrame) -> list[tuple[str, float, float, float]]:
    """(form, seconds, seconds per page, worst relative deviation) of cost = a + b pages, by relative least squares."""
    medians = stats.medians(rows, ["form", "pages"], "cost")["median"]
    found = []
    for form in (form for form in rows["form"].cat.categories if form in medians.index.get_level_values("form")):
        cost = medians[form]
        cost = cost[cost > 0]
        if len(cost) < 3:
            continue
        pages, seconds = cost.index.to_numpy(dtype=np.float64), cost.to_numpy()
        slope, fixed = np.polyfit(pages, seconds, 1, w=1 / seconds)
        worst = float(np.max(np.abs((fixed + slope * pages) / seconds - 1)))
        found.append((str(form), float(fixed), float(slope), worst))
    return found


def arming(rows: pd.DataFrame) -> str:
    """The first reset of fresh memory and the first writes after it: a line for each way of populating."""
    body: list[list[str]] = []
    columns = ["populate", "reset", "dirty", "untracked", "collect"]
    estimates = {key: stats.medians(rows, [*results.POINT, "form"], key)["median"] for key in columns}
    wrong = results.exactness(rows).set_index([*results.POINT, "form"])
    order = rows.sort_values(["pages", "kind", "setting"]).groupby(results.POINT, observed=True, sort=False)
    for point, some in order:
        body += [[tables.describe(some)]]
        for form in (form for form in some["form"].cat.categories if (*point, form) in estimates["reset"].index):
            key = (*point, form)
            bad = wrong.loc[key]
            pages = tables.wrong(bad["extra"] / bad["intervals"], bad["missed"] / bad["intervals"])
            times = (estimates[column].get(key, np.nan) for column in columns)
            body.append(
                [
                    f"  {form}",
                    *("" if np.isnan(t) else f"{1e3 * t:.3g}" if t < 1e-3 else _short(1e3 * t) for t in times),
                    pages,
                ]
            )
    title = "The first arming of fresh memory and the first writes after it, ms (median), lower is better"
    note = (
        "populate = before the arming; reset = the arming; dirty = the first writes, untracked = the same without "
        "tracking; wrong = extra (+) and missed (-) pages"
    )
    lines = [title, tables.memory(rows), tables.where(rows)]
    table = tables.grid([["", *columns, "wrong"]], body)
    return "\n".join([*map(tables.paragraph, lines), "", table, tables.note(note)])


_TABLES: dict[str, tuple[Callable[[pd.DataFrame], str], ...]] = {
    "lkml-2022": (cycles, faults),
    "who-pays": (overhead,),
    "scale": (per_page,),
    "arm": (arming,),
}
