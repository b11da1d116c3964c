# SPDX-License-Identifier: GPL-2.0-only
"""Tables of a result as plain text, and what their titles and first cells say."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from bench.plan import catalogue
from bench.plan.interfaces import ATOMIC, INTERFACES, IOCTL, LEGACY
from bench.plan.kinds import KINDS, USUAL_KIND
from bench.plan.points import DEFAULTS
from bench.plan.settings import SETTINGS
from bench.report import numbers
from bench.report.layout import fitting, grid, note, paragraph
from bench.report.numbers import amount, doings, many, spread, times
from bench.stats import choice, samples
from bench.store import frames
from bench.store.frames import CASE, PAGE, POINT, RENAMED

_HEADS = {"dirty_percent": "dirty", "workload": "pattern", "kind": "memory", "case": "pages"}
_WORDS = ("workload", "kind", "setting")  # what a table can vary that is no number
USUAL = "(usual)"  # a setting that is none
_WHERE = {
    "bare-metal": "bare metal",
    "kvm": "KVM",
    "tcg": "TCG emulation",
    "tcg-icount": "TCG, instructions counted",
}


def where(rows: pd.DataFrame) -> str:
    """Kernel and kind of machine, for titles: Linux 6.12.1, KVM."""
    first = rows.iloc[0]
    known = str(first["where"])
    return f"Linux {first['kernel_release']}, {_WHERE.get(known, known.replace('vm-', 'VM: '))}"


def memory(rows: pd.DataFrame) -> str:
    """What kind of memory was measured, for titles. THP in each: it has made two maintainers differ 88 times."""
    kinds = list(rows["kind"].unique())
    first = kinds[0]
    text = KINDS[first].tables if first in KINDS else f"{first} memory"
    size = int(rows["page_size"].iloc[0]) if "page_size" in rows else PAGE  # of comparisons: all sides have one
    text = text.replace("4 KiB pages", f"{size >> 10} KiB pages")
    systems = ", ".join(filter(None, rows["file_system"].unique()))
    if len(kinds) > 1:
        text = "several kinds of memory, THP as named"
    return text + (f" ({'files ' if len(kinds) > 1 else ''}on {systems})" if systems else "")


def against(rows: pd.DataFrame, vary: str, title: str) -> str:
    """Table of the interfaces against each other, one row per value of `vary`: cost, ratio, wrong pages.

    rows: of frames.intervals(), alike in all but `vary`; `title` says what they share. Where there are more
    interfaces than fit, several tables.
    """
    known = (LEGACY, *reversed(IOCTL))
    here = set(rows["form"])  # what stands in for tracking is measured at some points only
    measured = [form for form in rows["form"].cat.categories if form in here]
    others = [form for form in measured if form not in known and _tabled(form)]  # phases() has those that are not
    forms = [form for form in known if form in measured] + others or measured
    order = in_order(rows, vary)
    cells = _cost_cells(rows, vary, forms, order)
    bad = _wrong_cells(rows, [vary, "form"])
    wrongs = {form: [bad.get((value, form), "") for value in order] for form in forms}
    notes = []
    challenger, named = choice.challenger(rows), numbers.unit(rows).ratio
    ratio = samples.ratios(rows, [vary], "cost", LEGACY, challenger or "")
    if not ratio.empty and not others:  # no room for both
        speed = {value: [times(row["median"]), spread(row)] for value, row in ratio.iterrows()}
        cells |= {head: [speed.get(v, ["", ""])[i] for v in order] for i, head in enumerate((named, "+-"))}
        notes.append(f"{named} = {LEGACY} / {challenger}, paired; +- = {interval_name(ratio)}")
    if any(map(any, wrongs.values())):
        notes.append("* = not every interval was exact; wrong = extra (+) and missed (-) pages per interval")
    notes += concurrent(rows)
    text = "\n\n".join(blocks(vary, order, cells, wrongs))
    return "\n".join([_title("One tracking interval", title, rows), "", text, *map(note, notes)])


def _tabled(name: str) -> bool:
    row = INTERFACES.get(name.removesuffix(ATOMIC))
    return row is None or row.tabled


def concurrent(rows: pd.DataFrame) -> list[str]:
    """What the cost of concurrent intervals is, and in how many of them a collect met a write; empty without any."""
    some = rows[rows["concurrent"] == 1]
    if some.empty:
        return []
    counts = some.drop_duplicates([*CASE, "process"])[["overlapped", "intervals"]].sum()
    return [
        "concurrent: two collects and resets an interval, which overlap the writes: a sum of work, not the time that "
        f"passed; in {counts['overlapped']} of {counts['intervals']} intervals writers still wrote when the first "
        "collect ended"
    ]


def _cost_cells(rows: pd.DataFrame, vary: str, forms: list[str], order: list[Any]) -> dict[str, list[str]]:
    """Columns of medians, marked where not every interval was exact."""
    cost, unit = samples.medians(rows, [vary, "form"], "cost")["median"], numbers.unit(rows)
    bad = _wrong_cells(rows, [vary, "form"])
    return {
        form: [
            ("*" if bad[v, form] else "") + amount(cost[v, form], unit) if (v, form) in cost.index else ""
            for v in order
        ]
        for form in forms
    }


def blocks(
    vary: str, order: list[Any], cells: dict[str, list[str]], wrongs: dict[str, list[str]] | None = None
) -> list[str]:
    """Columns as tables, a row for each value of `vary` in `order`: as few tables as there is room for.

    wrongs: what was wrong in each row, by column; each table ends with a column that says it of its own.
    """
    left = max(len(_label(vary, value)) for value in order)
    heads = list(cells)
    widths = [max(*map(len, _head(head)), *map(len, some)) for head, some in cells.items()]

    def wrong(some: slice) -> dict[str, list[str]]:
        return {} if wrongs is None else {"wrong": _wrong_column(heads[some], wrongs, len(order))}

    cuts = fitting(widths, left, last=lambda cut: sum(3 + max(5, *map(len, one)) for one in wrong(cut).values()))
    return [_block(vary, order, {head: cells[head] for head in heads[cut]} | wrong(cut)) for cut in cuts]


def _wrong_column(heads: list[str], wrongs: dict[str, list[str]], rows: int) -> list[str]:
    """What was wrong in each row, in the order of the columns that have a star."""
    known = [wrongs[head] for head in heads if head in wrongs]
    return [" ".join(dict.fromkeys(filter(None, (column[i] for column in known)))) for i in range(rows)]


def _head(name: str) -> tuple[str, str]:
    """The two lines of a column's heading."""
    row = INTERFACES.get(name)
    first, _, second = (row.heading if row and row.heading else name).partition(" ")
    return first, second


def _block(vary: str, order: list[Any], cells: dict[str, list[str]]) -> str:
    """One table."""
    body: list[list[str]] = []
    above = ""
    for i, value in enumerate(order):
        heading = str(value).rpartition("|")[0]  # of every(): series|pages
        body += [[heading]] if heading != above else []
        body.append([_label(vary, value), *(column[i] for column in cells.values())])
        above = heading
    two_lines = list(zip((_HEADS.get(vary, vary), ""), *map(_head, cells), strict=True))
    return grid(two_lines, body, left=1 if vary in _WORDS else 0)


def _label(vary: str, value: Any) -> str:
    """The first cell of a row."""
    if vary == "dirty_percent":
        return f"{value:g}%"
    return str(value).rpartition("|")[2] or USUAL


def every(rows: pd.DataFrame) -> str:
    """Table of all points, one row each."""
    points = rows[POINT].drop_duplicates().sort_values(["workload", "dirty_percent", "kind", "pages"])
    points["case"] = [f"{series(one)}|{one.pages}" for one in points.itertuples()]
    named = rows.merge(points, on=POINT)
    named["case"] = named["case"].astype(pd.CategoricalDtype(list(dict.fromkeys(points["case"])), ordered=True))
    return against(named, "case", "every point")


def series(one: Any) -> str:
    """Name what, besides its pages, makes a point: random 10%, kind=shmem writers=4. one: a tuple with POINT."""
    fixed = catalogue.fraction(one.workload) is not None
    name = str(one.workload) if fixed else f"{one.workload} {one.dirty_percent:g}%"
    kind = "" if one.kind == USUAL_KIND else f"kind={one.kind}"
    more = " ".join(filter(None, [kind, str(one.setting)]))
    return f"{name}, {more}" if more else name


def interval_name(estimates: pd.DataFrame) -> str:
    """What low and high of these estimates are."""
    least, most = int(estimates["units"].min()), int(estimates["units"].max())
    what = units_name(estimates)
    if estimates["counted"].all():
        return f"range of {what}" if most > 1 else f"unknown: {what} only"
    if least != most:
        return f"95% CI from {samples.ENOUGH} on, else their range; {what}"
    if least == 1:
        return f"unknown: {what} only, a 95% CI needs {samples.ENOUGH}"
    if least >= samples.ENOUGH:
        return f"95% CI, {what}"
    confidence = 100 * (1 - 0.5 ** (least - 1))
    return f"range of {what}, a {confidence:.0f}% CI; 95% needs {samples.ENOUGH}"


def units_name(estimates: pd.DataFrame) -> str:
    """What these estimates are the medians of: 10 boots, 2 to 6 processes."""
    least, most = int(estimates["units"].min()), int(estimates["units"].max())
    what = str(estimates["unit"].iloc[0])
    return many(most, what) if least == most else f"{least} to {many(most, what)}"


def phases(rows: pd.DataFrame) -> str:
    """Table of who pays: the phases of each form at each point of rows (frames.intervals())."""
    more_phases = ["act"] if rows["act"].notna().any() else []
    columns = ["reset", "dirty", "collect", "collect_reset", *more_phases, "cost"]
    estimates = {column: samples.medians(rows, CASE, column) for column in columns}
    cost, unit = estimates["cost"], numbers.unit(rows)
    bad = _wrong_cells(rows, CASE)
    middle = pd.concat({column: table["median"] for column, table in estimates.items()}, axis=1)
    body: list[list[str]] = []
    for point, some in rows.sort_values(["pages", "dirty_percent"]).groupby(POINT, observed=True, sort=False):
        untracked = some["untracked"].median()
        none = [""] * len(more_phases)
        body += [[*[""] * 6, *none]] if body else []
        body += [[describe(some)]]
        body += [["  untracked", "", amount(untracked, unit), "", *none, "", ""]] if untracked else []
        for form in (f for f in some["form"].cat.categories if (*point, f) in cost.index):
            found = middle.loc[(*point, form)]
            once = "collect_reset" if math.isnan(found["collect"]) else "collect"
            shown = [found[phase] or math.nan for phase in ("reset", "dirty", once)]  # 0: there is none
            shown += [found[phase] for phase in (*more_phases, "cost")]
            cells = ["" if math.isnan(x) else amount(x, unit) for x in shown]
            cells[-1] = ("*" if bad[(*point, form)] else "") + cells[-1]
            body.append([f"  {form}", *cells, spread(cost.loc[(*point, form)])])
    heads = [["", "reset", "dirty", "collect", *more_phases, "cost", "+-"]]
    more = "".join(f"; {text}" for text in concurrent(rows))
    what = doings(rows)
    legend = (
        f"dirty = the program's own {what}; atomic collects and resets in one call; cost = all phases less the "
        f"untracked {what}; each number is a median of its own, and they need not add up; "
        f"+- = of the cost, {interval_name(cost)}"
    )
    legend += "; act = what is done with the pages reported, or without tracking with all" if more_phases else ""
    legend += more + ("; * = not every interval was exact" if any(bad.values()) else "")
    return "\n".join([_title("Who pays: phases of a tracking interval", "", rows), "", grid(heads, body), note(legend)])


def describe(rows: pd.DataFrame) -> str:
    """The point of rows that are all of one point: random 10%, 65536 pages."""
    first = rows.iloc[0]
    return f"{series(first)}, {many(first['pages'], 'page')}"


def shared(rows: pd.DataFrame) -> str:
    """What the points of rows have in common, besides the memory: random, 10% dirty, 65536 pages, writers=4."""
    known = [list(rows[key].unique()) for key in ("workload", "dirty_percent", "pages", "setting")]
    forms = ("{}", "{:g}% dirty", "{} pages", "{}")
    fixed = all(catalogue.fraction(name) is not None for name in rows["workload"].unique())
    parts = [
        form.format(one[0])
        for form, one in zip(forms, known, strict=True)
        if len(one) == 1 and one[0] and not (fixed and "dirty" in form)
    ]
    return ", ".join(parts)


def _title(what: str, title: str, rows: pd.DataFrame) -> str:
    unit = numbers.unit(rows).title
    lines = [f"{what}, {unit} (median), lower is better", "; ".join(filter(None, [title, memory(rows)])), where(rows)]
    return "\n".join(map(paragraph, lines))


def in_order(rows: pd.DataFrame, vary: str) -> list[Any]:
    """Values of `vary` in the table's order: numbers rising, workloads by what they cost, words with their numbers."""
    if vary == "workload":
        return list(rows.groupby(vary, observed=True)["cost"].median().sort_values().index)
    values = list(rows[vary].cat.categories) if vary == "case" else list(rows[vary].unique())
    if vary == "kind":
        return sorted(values, key=[*KINDS, *values].index)
    if vary == "setting":
        return list(dict.fromkeys(one.setting for one in sorted(_settings(rows), key=_changed)))
    return values if vary == "case" else sorted(values)


def _settings(rows: pd.DataFrame) -> Iterable[Any]:
    """The points of rows that differ in settings, each field under its own name."""
    some = rows.drop_duplicates("setting").drop(columns=list(RENAMED))
    return some.rename(columns={ours: name for name, ours in RENAMED.items()}).itertuples()


def _changed(one: Any) -> list[tuple[int, Any]]:
    """What sorts settings: which of them are not the usual ones, and their values; 0 is no limit, so the largest."""
    values = {key: getattr(one, key) for key in SETTINGS if key != "kind"}
    return [(i, x or math.inf) for i, (key, x) in enumerate(values.items()) if x != DEFAULTS[key]]


def _wrong_cells(rows: pd.DataFrame, keys: list[str]) -> dict[Any, str]:
    """Wrong pages per interval as text, by keys."""
    counts = frames.exactness(rows, keys)
    pages = zip(counts["extra"] / counts["intervals"], counts["missed"] / counts["intervals"], strict=True)
    named = counts[keys].itertuples(index=False, name=None)
    return {key: numbers.wrong(*one) for key, one in zip(named, pages, strict=True)}
