# SPDX-License-Identifier: GPL-2.0-only
"""Tables that answer what single suites ask: whole intervals in cycles, overhead, cost per page, arming; published."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from bench.report import batching, instead, life, numbers, scaling, tables
from bench.report.layout import grid, note, paragraph
from bench.report.numbers import amount, fine, three
from bench.stats import choice, samples
from bench.store import frames
from bench.store.frames import CASE, POINT
from bench.store.published import Published, published


def answers(suite: str, rows: pd.DataFrame) -> list[str]:
    """The tables that this suite has beside those of every report, and of writers that have a rhythm and whole lives.

    rows: of frames.intervals().
    """
    return [text for table in (*_TABLES.get(suite, ()), scaling.rhythm, life.text) if (text := table(rows))]


def _columns(rows: pd.DataFrame, column: str, shown: Callable[[float], str]) -> tuple[list[int], dict[str, list[str]]]:
    """Medians by pages and form, as text; * where not every interval was exact."""
    medians = samples.medians(rows, ["pages", "form"], column)["median"]
    wrong = frames.exactness(rows, ["pages", "form"]).set_index(["pages", "form"])["wrong_intervals"]
    sizes = sorted(rows["pages"].unique())

    def cell(key: tuple[int, str]) -> str:
        return ("*" if wrong[key] else "") + shown(medians[key]) if key in medians.index else ""

    return sizes, {form: [cell((pages, form)) for pages in sizes] for form in _forms(rows, medians)}


def _forms(rows: pd.DataFrame, medians: pd.Series) -> list[str]:
    """The forms that have a median, in their order."""
    return [form for form in rows["form"].cat.categories if form in medians.index.get_level_values("form")]


def _table(title: str, rows: pd.DataFrame, sizes: list[int], columns: dict[str, list[str]], *notes: str) -> str:
    lines = [title, tables.memory(rows), tables.where(rows)]
    bad = any(cell.startswith("*") for cells in columns.values() for cell in cells)
    more = ["* = not every interval was exact"] if bad else []
    body = "\n\n".join(tables.blocks("pages", sizes, columns))
    return "\n".join([*map(paragraph, lines), "", body, *map(note, [*notes, *more])])


def _published(title: str, found: Published, columns: str, values: str) -> str:
    """A published table, under a title that says that it is another machine's."""
    wide = found.frame.pivot_table(index="pages", columns=columns, values=values, sort=False).sort_index()
    cells = {str(name): ["" if np.isnan(x) else three(x) for x in wide[name]] for name in wide}
    body = "\n\n".join(tables.blocks("pages", list(wide.index), cells))
    return "\n".join([paragraph(f"PUBLISHED, ANOTHER MACHINE: {title}"), "", body, note(found.about)])


def cycles(rows: pd.DataFrame) -> str:
    """Cycles of the time stamp counter that a whole interval takes, and the table of 2022."""
    known, counted = published("lkml-2022"), frames.in_cycles(rows)
    if counted is not None:
        parts = [
            _whole(counted, f"TSC: {rows['tsc_hz'].iloc[0] / 1e6:.0f} MHz, invariant: a fixed rate, not the core's")
        ]
    else:
        why = (
            "instructions were counted"
            if samples.counted(rows)
            else "this machine's time stamp counter is not invariant"
        )
        parts = [_whole(rows), paragraph(f"No TSC cycles: {why}.")]
    if known:
        title = "thousands of rdtsc cycles, lower is better"
        parts.append(_published(title, known, "interface", "kilocycles"))
    return "\n\n".join(parts)


def _whole(rows: pd.DataFrame, *notes: str) -> str:
    """What whole intervals take, in whatever rows are in."""
    unit = numbers.unit(rows)
    sizes, columns = _columns(rows, "interval", lambda x: amount(x, unit))
    title = f"One whole tracking interval, the program's own writes included, {unit.title} (median), lower is better"
    return _table(title, rows, sizes, columns, *notes)


def faults(rows: pd.DataFrame) -> str:
    """What the first write to a page costs more, per page, at the largest mapping; and the published latencies."""
    top, unit = rows[rows["pages"] == rows["pages"].max()].copy(), numbers.unit(rows)
    top["fault"] = top["tracked"] / top["accessed_pages"]
    medians = samples.medians(top, ["form"], "fault")
    body = [[str(form), amount(row["median"], unit), numbers.spread(row)] for form, row in medians.iterrows()]
    known = published("fault-latency")
    title = (
        f"What tracking adds to the first write of a page, {unit.title} (median), lower is better; "
        f"{tables.describe(top)}"
    )
    text = [paragraph(title), paragraph(tables.where(rows)), "", grid([["", unit.title, "+-"]], body)]
    if known:
        text += ["", paragraph("PUBLISHED, ANOTHER MACHINE: us per fault, lower is better"), ""]
        cells = [[str(one.interface), f"{one.microseconds_per_fault:g}"] for one in known.frame.itertuples()]
        text += [grid([["", "us"]], cells), note(known.about)]
    return "\n".join(text)


def overhead(rows: pd.DataFrame) -> str:
    """Tracked and tracker overhead in percent of the untracked writes, and the published table."""
    rows = rows.assign(**{who: 100 * rows[who] / rows["untracked"] for who in ("tracked", "tracker")})
    known = published("who-pays")
    parts = []
    for who, what in (
        ("tracked", "the tracked program's writes take longer"),
        ("tracker", "the tracker's phases take"),
    ):
        sizes, columns = _columns(rows, who, three)
        title = f"Overhead: how much {what}, % of the untracked writes (median), lower is better"
        parts.append(_table(title, rows, sizes, columns))
        if known:
            some = known._replace(frame=known.frame[known.frame["charged"] == who])
            parts.append(_published(f"overhead on the {who} process, %", some, "interface", "overhead_percent"))
    return "\n\n".join(parts)


def per_page(rows: pd.DataFrame) -> str:
    """Cost per page of the mapping at each size, and a line fitted to it: fixed cost and cost per page."""
    rows, unit, small = choice.sweep(rows), numbers.unit(rows), numbers.small(rows)
    rows = rows.assign(per_page=rows["cost"] / rows["pages"])
    sizes, columns = _columns(rows, "per_page", lambda x: three(x * small.factor))
    title = f"Cost per page of the mapping, {small.title} (median), lower is better; {tables.shared(rows)}"
    body = [
        [form, amount(fixed, unit), three(page * small.factor), f"{100 * worst:.0f}%"]
        for form, fixed, page, worst in fits(rows)
    ]
    heads = [["cost = a + b x pages", f"a, {unit.title}", f"b, {small.title}", "worst"]]
    text = "least squares of the relative error over all sizes; worst = furthest that a size is from the line"
    return "\n".join([_table(title, rows, sizes, columns), "", grid(heads, body), note(text)])


def fits(rows: pd.DataFrame) -> list[tuple[str, float, float, float]]:
    """(form, fixed cost, cost per page, worst relative deviation) of cost = a + b pages, by relative least squares."""
    medians = samples.medians(rows, ["form", "pages"], "cost")["median"]
    found = []
    for form in _forms(rows, medians):
        positive = medians[form][medians[form] > 0]
        if len(positive) < 3:
            continue
        pages, cost = positive.index.to_numpy(dtype=np.float64), positive.to_numpy()
        slope, fixed = np.polyfit(pages, cost, 1, w=1 / cost)
        worst = float(np.max(np.abs((fixed + slope * pages) / cost - 1)))
        found.append((str(form), float(fixed), float(slope), worst))
    return found


def arming(rows: pd.DataFrame) -> str:
    """The first reset of fresh memory and the first writes after it: a line for each way of populating."""
    body: list[list[str]] = []
    columns, unit = ["populate", "reset", "dirty", "untracked", "collect"], numbers.large(rows)
    estimates = {key: samples.medians(rows, CASE, key)["median"] for key in columns}
    wrong = frames.exactness(rows).set_index(CASE)
    order = rows.sort_values(["pages", "kind", "setting"]).groupby(POINT, observed=True, sort=False)
    for point, some in order:
        body += [[tables.describe(some)]]
        for form in (form for form in some["form"].cat.categories if (*point, form) in estimates["reset"].index):
            bad = wrong.loc[(*point, form)]
            pages = numbers.wrong(bad["extra"] / bad["intervals"], bad["missed"] / bad["intervals"])
            took = (estimates[column].get((*point, form), np.nan) for column in columns)
            body.append([f"  {form}", *("" if np.isnan(x) else fine(x, unit) for x in took), pages])
    title = f"The first arming of fresh memory and the first writes after it, {unit.title} (median), lower is better"
    text = (
        "populate = before the arming; reset = the arming; dirty = the first writes, untracked = the same without "
        "tracking; wrong = extra (+) and missed (-) pages"
    )
    lines = [title, tables.memory(rows), tables.where(rows)]
    table = grid([["", *columns, "wrong"]], body)
    return "\n".join([*map(paragraph, lines), "", table, note(text)])


def freezing(rows: pd.DataFrame) -> str:
    """A dump of another process in the words of who makes it: how long it is frozen, what is scanned and written."""
    rows = rows[rows["external"].astype(bool) & ~rows["concurrent"].astype(bool)]
    if rows.empty:
        return ""
    columns, unit = ["tracker", "reset", "collect", "collect_reset"], numbers.large(rows)
    medians = {key: samples.medians(rows, CASE, key)["median"] for key in columns}
    body: list[list[str]] = []
    for point, some in rows.groupby(POINT, observed=True, sort=False):
        body += [[tables.describe(some)]]
        for form, own in some.groupby("form", observed=True):
            took = (medians[column].get((*point, form), np.nan) for column in columns)
            first, count = own.iloc[0], own["intervals"].sum()
            pages = (f"{round(n):,}" for n in (first.pages * first.watch_percent / 100, first.written_pages))
            wrong = numbers.wrong(own["extra"].sum() / count, own["missed"].sum() / count)
            body.append([f"  {form}", *("" if np.isnan(x) else fine(x, unit) for x in took), *pages, wrong])
    title = f"A dump of another process, {unit.title} (median), lower is better"
    lines = [title, tables.memory(rows), tables.where(rows)]
    table = grid([["", "frozen", "reset", "scan", "atomic", "pages", "written", "wrong"]], body)
    text = (
        "frozen = the process's freezing time, as far as it is this: reset and scan, or both in one call (atomic); "
        "pages = those scanned; written = those to be copied; wrong = extra (+) and missed (-) pages"
    )
    return "\n".join([*map(paragraph, lines), "", table, note(text)])


_TABLES: dict[str, tuple[Callable[[pd.DataFrame], str], ...]] = {
    "lkml-2022": (cycles, faults),
    "who-pays": (overhead,),
    "scale": (per_page,),
    "arm": (arming,),
    "predump": (freezing,),
    "callers": (freezing,),
    "scaling": (scaling.text,),
    "batching": (batching.table,),
    "instead": (instead.table,),
}
