# SPDX-License-Identifier: GPL-2.0-only
"""Tables of scaling: how much faster several writers, scanners, trackers or processes are than one; what stops it."""

import pandas as pd

from bench.report import numbers, tables
from bench.report.layout import grid, note, paragraph
from bench.stats import samples, scaling
from bench.stats.scaling import Axis, Limit
from bench.store import frames

_COLUMNS = 5  # that there is room for
_COUNTED = (
    "instructions are those of all threads, on the emulated machine's one CPU, which does one thing after another; "
    "what is more than 1.00x is work that several add; +- = of the largest number, the range over the boots; * = not "
    "every interval was exact; none = the writes without tracking"
)


def text(rows: pd.DataFrame) -> str:
    """How rows of frames.intervals() scale, a table for each point of one, and what stops it; empty without any."""
    points: dict[str, list[tuple[Axis, pd.DataFrame]]] = {}
    for axis in scaling.AXES:
        for some in scaling.sweeps(rows, axis):
            points.setdefault(_point(some), []).append((axis, some))
    if not points:
        return ""
    counted = samples.counted(rows)
    title = (
        "Work of several over that of one, instructions; lower is better"
        if counted
        else "Scaling: how many times as fast as one several are; higher is better"
    )
    tables_of = [part for name, found in points.items() for part in (paragraph(f"{name}:"), _table(found), "")]
    notes = (
        [note(_COUNTED)] if counted else [note(_LEGEND), *(paragraph(_sentence(one)) for one in scaling.limits(rows))]
    )
    return "\n".join([*map(paragraph, (title, tables.memory(rows), tables.where(rows))), "", *tables_of[:-1], *notes])


_LEGEND = (
    "as fast: the median of one over that of several; share = of the largest number, in percent of the number; +- = of "
    "it, 95% CI or what there is; * = not every interval was exact; none = the writes without tracking"
)


def _point(rows: pd.DataFrame) -> str:
    """What all axes share: random 10%, 16384 pages."""
    first = rows.iloc[0]
    return f"{first['workload']} {first['dirty_percent']:g}%, {numbers.many(int(first['pages']), 'page')}"


def _table(found: list[tuple[Axis, pd.DataFrame]]) -> str:
    """A line for each form, below what there are several of; a table for each _COLUMNS numbers of them."""
    counts = sorted({int(n) for axis, some in found for n in some[axis.key].unique()} - {1})
    cuts = [counts[i : i + _COLUMNS] for i in range(0, len(counts), _COLUMNS)]
    return "\n\n".join(_part(found, cut, last=cut is cuts[-1]) for cut in cuts)


def _part(found: list[tuple[Axis, pd.DataFrame]], counts: list[int], *, last: bool) -> str:
    """That of some numbers; in the last one the largest number's share and uncertainty stand too."""
    counted = samples.counted(found[0][1])
    heads = ["", *map(str, counts), *(["+-"] if counted else ["share", "+-"]) * last]
    body: list[list[str]] = []
    for axis, some in found:
        body += [[f"{axis.key}: {axis.title}"]]
        made = scaling.speedups(some, axis)
        wrong = frames.exactness(some, [axis.key, "form"]).set_index([axis.key, "form"])["wrong_intervals"]
        for form in dict.fromkeys(made.index.get_level_values("form")):
            starred = {n: bool(wrong.get((n, form))) for n in counts}
            body += [cells[: len(heads)] for cells in _line(str(form), made.loc[form], counts, starred, counted)]
    return grid([heads], body)


def _line(form: str, made: pd.DataFrame, counts: list[int], wrong: dict[int, bool], counted: bool) -> list[list[str]]:
    """The line of one form, if it was measured with several. made: of scaling.speedups(), by n."""
    own = made[made["speedup"].notna() & (made.index > 1)]
    if own.empty:
        return []
    shown = {int(str(n)): 1 / x if counted else x for n, x in own["speedup"].items()}
    cells = [("*" if wrong[n] else "") + numbers.times(shown[n]) if n in shown else "" for n in counts]
    last = own.iloc[-1]
    share = [] if counted else [f"{100 * last['efficiency']:.0f}%"]
    spread = numbers.spread({"median": last["speedup"], "low": last["low"], "high": last["high"]})
    return [[f"  {form}", *cells, *share, spread]]


def _sentence(one: Limit) -> str:
    """What stops a phase, as far as the numbers say it."""
    text = (
        f"{one.form}, {one.phase}, {one.pages:,} pages: {one.n} trackers are {numbers.times(one.inside)} as fast as "
        f"one in one address space, and {numbers.times(one.outside)} in {one.n} of them."
    )
    if one.exclusive:
        more = ", and each is of the whole process" if one.whole else ""
        return f"{text} Within one it takes mmap_lock for writing, one after another{more}."
    return (
        f"{text} They share the address space: mmap_lock, taken for reading, lets them in together; its cache line, "
        "page table locks and TLB flushes are left, and these numbers do not tell which."
    )


def rhythm(rows: pd.DataFrame) -> str:
    """How often writers that have a rhythm came too late, with and without tracking; empty without any."""
    own = rows[rows["periods"] > 0]
    if own.empty:
        return ""
    body: list[list[str]] = []
    once = own.drop_duplicates([*frames.CASE, "process"])
    for _, some in once.groupby(frames.POINT, observed=True, sort=False):
        body.append([tables.describe(some)])
        first = some.drop_duplicates("process")
        body.append(["  untracked", *_late(first["untracked_late"].sum(), first["untracked_periods"].sum())])
        for form, mine in some.groupby("form", observed=True):
            body.append([f"  {form}", *_late(mine["late"].sum(), mine["periods"].sum())])
    title = "Writers with a rhythm: periods that ended before their pages were written; lower is better"
    lines = [title, tables.memory(rows), tables.where(rows)]
    return "\n".join([*map(paragraph, lines), "", grid([["", "late", "periods", "share"]], body)])


def _late(late: float, periods: float) -> list[str]:
    return [f"{late:.0f}", f"{periods:.0f}", f"{100 * late / periods:.2g}%" if periods else ""]
