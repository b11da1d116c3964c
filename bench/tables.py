# SPDX-License-Identifier: GPL-2.0-only
"""Tables and paragraphs of plain text that survive a mailing list: ASCII, at most 72 columns, indented by two."""

import math
import re
import shlex
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from bench import results, stats
from bench.mapping import KINDS

WIDTH = 72
INDENT = "  "
_HEADS = {"dirty_percent": "dirty", "workload": "pattern", "kind": "memory", "case": "pages"}
_WORDS = ("workload", "kind", "setting")  # what a table can vary that is no number
USUAL = "(usual)"  # a setting that is none
_WHERE = {
    "bare-metal": "bare metal",
    "kvm": "KVM",
    "tcg": "TCG emulation",
    "tcg-icount": "TCG, instructions counted",
}


def paragraph(text: str, *, hang: str = "") -> str:
    """Wrap text to WIDTH; `hang` indents the lines after the first further. Other characters than ASCII become `?`."""
    return textwrap.fill(
        _plain(text), WIDTH, initial_indent=INDENT, subsequent_indent=INDENT + hang, break_on_hyphens=False
    )


def _plain(text: str) -> str:
    """Text in ASCII: other characters become `?`."""
    return text.encode("ascii", "replace").decode()


def command(line: str) -> str:
    """A shell command over as many lines as it needs. An argument is never broken, even if it is too long."""
    lines = [INDENT.rstrip(" ") + INDENT]
    for word in map(_quoted, shlex.split(line)):
        if lines[-1].strip() and len(lines[-1]) + 1 + len(word) > WIDTH - 2:  # room for the backslash
            lines.append(INDENT * 3)
        lines[-1] += word if not lines[-1].strip() else f" {word}"
    return " \\\n".join(lines)


def _quoted(word: str) -> str:
    """A word for a shell, in ASCII: other characters as octal numbers in $''."""
    if word.isascii() and word.isprintable():
        return shlex.quote(word)
    plain = (chr(b) if 32 <= b < 127 and chr(b) not in "'\\" else f"\\{b:03o}" for b in word.encode())
    return f"$'{''.join(plain)}'"


def us(seconds: float) -> str:
    """Seconds as microseconds with the digits that mean something: 3.14, 91.2, 912.3, 10234."""
    value = seconds * 1e6
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{value:.{digits}f}" if math.isfinite(value) else "?"


def times(ratio: float) -> str:
    """A ratio with three digits: 8.27x, 82.7x."""
    if not math.isfinite(ratio):
        return "?"
    digits = 2 if abs(ratio) < 10 else 1 if abs(ratio) < 100 else 0
    return f"{ratio:.{digits}f}x"


def spread(row: "Mapping[str, Any] | pd.Series[Any]") -> str:
    """Half width of an estimate: +-3%, +-0.4%; empty where it is not known."""
    half = 100 * stats.half_width(row)
    return "" if math.isnan(half) else f"+-{half:.{int(half < 0.95)}f}%" if half < 1000 else "+-?"


def wrong(extra: float, missed: float) -> str:
    """Pages per interval that were reported too much (+) and too little (-); empty if none. Never rounds to nothing."""
    return "".join(sign + _short(count) for sign, count in (("+", extra), ("-", missed)) if count)


def _short(count: float) -> str:
    for limit, unit, suffix in ((10_000_000, 1_000_000, "M"), (10_000, 1000, "k")):
        if count >= limit:
            return f"{count / unit:.0f}{suffix}"
    return f"{count:.2g}" if count < 10 else f"{count:.0f}"


def many(count: int, what: str) -> str:
    """1 run, 2 runs, 2 processes."""
    return f"{count} {what}{'' if count == 1 else 'es' if what.endswith('s') else 's'}"


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
    systems = ", ".join(filter(None, rows["file_system"].unique()))
    if len(kinds) > 1:
        text = "several kinds of memory, THP as named"
    return text + (f" ({'files ' if len(kinds) > 1 else ''}on {systems})" if systems else "")


def grid(heads: Sequence[Sequence[str]], body: Iterable[Sequence[str]], left: int = 1, bar: str = " | ") -> str:
    """Columns as wide as they need: header lines, a rule, rows. The first `left` are left-aligned.

    An empty row is a rule across the table, a row of one cell stands alone over all columns.
    """
    heads, body = ([[_plain(cell) for cell in line] for line in some] for some in (heads, body))
    lines = [line for line in (*heads, *body) if len(line) > 1]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads[0]))]
    if len(INDENT) + sum(widths) + len(bar) * (len(widths) - 1) > WIDTH:
        bar = bar.strip() or " "  # only mappings of many GiB with many wrong pages need it tight
    over = len(INDENT) + sum(widths) + len(bar) * (len(widths) - 1) - WIDTH
    if over > 0:  # only names that a user gave, or numbers of a terabyte
        widths[0] = max(4, widths[0] - over)
    rule = INDENT + bar.join("-" * width for width in widths)

    def text(line: Sequence[str]) -> str:
        if not line:
            return INDENT + "-" * (len(rule) - len(INDENT))
        if len(line) == 1:
            return INDENT + line[0][: WIDTH - len(INDENT)]
        line = [line[0] if len(line[0]) <= widths[0] else line[0][: widths[0] - 2] + "..", *line[1:]]
        cells = [c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
        return (INDENT + bar.join(cells)).rstrip()

    return "\n".join([*map(text, heads), rule if bar.strip() else text([]), *map(text, body)])


def against(rows: pd.DataFrame, vary: str, title: str) -> str:
    """Table of the interfaces against each other, one row per value of `vary`: cost, speedup, wrong pages.

    rows: of results.intervals(), alike in all but `vary`; `title` says what they share. Where there are more
    interfaces than fit, several tables.
    """
    known = (results.LEGACY, *reversed(results.IOCTL))
    measured = list(rows["form"].cat.categories)
    others = [form for form in measured if form not in (*known, "scan-softdirty")]  # which is told apart by phases()
    forms = [form for form in known if form in measured] + others or measured
    order = in_order(rows, vary)
    cells = _cost_cells(rows, vary, forms, order)
    bad = _wrong_cells(rows, [vary, "form"])
    wrongs = {form: [bad.get((value, form), "") for value in order] for form in forms}
    notes = []
    challenger = results.challenger(rows)
    ratio = stats.ratios(rows, [vary], "cost", results.LEGACY, challenger or "")
    if not ratio.empty and not others:  # no room for both
        speed = {value: [times(row["median"]), spread(row)] for value, row in ratio.iterrows()}
        cells |= {head: [speed.get(v, ["", ""])[i] for v in order] for i, head in enumerate(("speedup", "+-"))}
        notes.append(f"speedup = {results.LEGACY} / {challenger}, paired; +- = {interval_name(ratio)}")
    if any(map(any, wrongs.values())):
        notes.append("* = not every interval was exact; wrong = extra (+) and missed (-) pages per interval")
    notes += concurrent(rows)
    text = "\n\n".join(blocks(vary, order, cells, wrongs))
    return "\n".join([_title("One tracking interval", title, rows), "", text, *map(note, notes)])


def concurrent(rows: pd.DataFrame) -> list[str]:
    """What the cost of concurrent intervals is, and in how many of them a collect met a write; empty without any."""
    some = rows[rows["setting"].str.contains("concurrent")]
    if some.empty:
        return []
    counts = some.drop_duplicates([*results.POINT, "form", "process"])[["overlapped", "intervals"]].sum()
    return [
        "concurrent: two collects and resets an interval, which overlap the writes: a sum of work, no elapsed time; in "
        f"{counts['overlapped']} of {counts['intervals']} intervals writers still wrote when the first collect ended"
    ]


def _cost_cells(rows: pd.DataFrame, vary: str, forms: list[str], order: list[Any]) -> dict[str, list[str]]:
    """Columns of medians, marked where not every interval was exact."""
    cost = stats.medians(rows, [vary, "form"], "cost")["median"]
    bad = _wrong_cells(rows, [vary, "form"])
    return {
        form: [("*" if bad[v, form] else "") + us(cost[v, form]) if (v, form) in cost.index else "" for v in order]
        for form in forms
    }


def blocks(
    vary: str, order: list[Any], cells: dict[str, list[str]], wrongs: dict[str, list[str]] | None = None
) -> list[str]:
    """Columns as tables, a row for each value of `vary` in `order`: as few tables as there is room for.

    wrongs: what was wrong in each row, by column; each table ends with a column that says it of its own.
    """
    left = max(len(_label(vary, value)) for value in order)
    widths = {head: 3 + max(*map(len, _head(head)), *map(len, some)) for head, some in cells.items()}
    fitting: list[list[str]] = []
    for head in cells:
        together = [*fitting[-1], head] if fitting else []
        if together and len(INDENT) + left + sum(widths[one] for one in together) + _room(together, wrongs) <= WIDTH:
            fitting[-1].append(head)
        else:
            fitting.append([head])
    last = [{"wrong": _wrong_column(some, wrongs, len(order))} if wrongs is not None else {} for some in fitting]
    return [
        _block(vary, order, {head: cells[head] for head in some} | more)
        for some, more in zip(fitting, last, strict=True)
    ]


def _wrong_column(heads: list[str], wrongs: dict[str, list[str]], rows: int) -> list[str]:
    """What was wrong in each row, in the order of the columns that have a star."""
    known = [wrongs[head] for head in heads if head in wrongs]
    return [" ".join(dict.fromkeys(filter(None, (column[i] for column in known)))) for i in range(rows)]


def _room(heads: list[str], wrongs: dict[str, list[str]] | None) -> int:
    """The width of the column about what was wrong, with its bar."""
    if wrongs is None:
        return 0
    rows = len(next(iter(wrongs.values())))
    return 3 + max(5, *map(len, _wrong_column(heads, wrongs, rows)))


def _head(name: str) -> tuple[str, str]:
    """The two lines of a column's heading."""
    first, _, second = ("clear_refs + pagemap" if name == results.LEGACY else name).partition(" ")
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
    points = rows[results.POINT].drop_duplicates().sort_values(["workload", "dirty_percent", "kind", "pages"])
    points["case"] = [f"{series(one)}|{one.pages}" for one in points.itertuples()]
    named = rows.merge(points, on=results.POINT)
    named["case"] = named["case"].astype(pd.CategoricalDtype(list(dict.fromkeys(points["case"])), ordered=True))
    return against(named, "case", "every point")


def series(one: Any) -> str:
    """Name what, besides its pages, makes a point: random 10%, kind=shmem writers=4. one: a tuple with POINT."""
    name = str(one.workload) if one.workload in ("idle", "all") else f"{one.workload} {one.dirty_percent:g}%"
    kind = "" if one.kind == "anon" else f"kind={one.kind}"
    more = " ".join(filter(None, [kind, str(one.setting)]))
    return f"{name}, {more}" if more else name


def note(text: str) -> str:
    """An explanation below a table."""
    return paragraph(f"({text})", hang=" ")


def interval_name(estimates: pd.DataFrame) -> str:
    """What low and high of these estimates are."""
    least, most = int(estimates["units"].min()), int(estimates["units"].max())
    what = units_name(estimates)
    if least != most:
        return f"95% CI from {stats.ENOUGH} on, else their range; {what}"
    if least == 1:
        return f"unknown: {what} only, a 95% CI needs {stats.ENOUGH}"
    if least >= stats.ENOUGH:
        return f"95% CI, {what}"
    confidence = 100 * (1 - 0.5 ** (least - 1))
    return f"range of {what}, a {confidence:.0f}% CI; 95% needs {stats.ENOUGH}"


def units_name(estimates: pd.DataFrame) -> str:
    """What these estimates of stats.py are the medians of: 10 boots, 2 to 6 processes."""
    least, most = int(estimates["units"].min()), int(estimates["units"].max())
    what = str(estimates["unit"].iloc[0])
    return many(most, what) if least == most else f"{least} to {many(most, what)}"


def phases(rows: pd.DataFrame) -> str:
    """Table of who pays: the phases of each form at each point of rows (results.intervals())."""
    columns = ["reset", "dirty", "collect", "collect_reset", "cost"]
    estimates = {column: stats.medians(rows, [*results.POINT, "form"], column) for column in columns}
    cost = estimates["cost"]
    bad = _wrong_cells(rows, [*results.POINT, "form"])
    middle = pd.concat({column: table["median"] for column, table in estimates.items()}, axis=1)
    body: list[list[str]] = []
    for point, some in rows.sort_values(["pages", "dirty_percent"]).groupby(results.POINT, observed=True, sort=False):
        untracked = some["untracked"].median()
        body += [[""] * 6] if body else []
        body += [[describe(some)]]
        body += [["  untracked", "", us(untracked), "", "", ""]] if untracked else []
        for form in (f for f in some["form"].cat.categories if (*point, f) in cost.index):
            found = middle.loc[(*point, form)]
            once = "collect_reset" if math.isnan(found["collect"]) else "collect"
            shown = [found["reset"], found["dirty"] or math.nan, found[once], found["cost"]]
            cells = ["" if math.isnan(x) else us(x) for x in shown]
            cells[-1] = ("*" if bad[(*point, form)] else "") + cells[-1]
            body.append([f"  {form}", *cells, spread(cost.loc[(*point, form)])])
    heads = [["", "reset", "dirty", "collect", "cost", "+-"]]
    more = "".join(f"; {text}" for text in concurrent(rows))
    legend = (
        "dirty = the program's own writes; atomic collects and "
        f"resets in one call; cost = all phases less the untracked writes; +- = of the cost, {interval_name(cost)}"
    )
    legend += more + ("; * = not every interval was exact" if any(bad.values()) else "")
    return "\n".join([_title("Who pays: the phases of one interval", "", rows), "", grid(heads, body), note(legend)])


def describe(rows: pd.DataFrame) -> str:
    """The point of rows that are all of one point: random 10%, 65536 pages."""
    first = rows.iloc[0]
    return f"{series(first)}, {many(first['pages'], 'page')}"


def shared(rows: pd.DataFrame) -> str:
    """What the points of rows have in common, besides the memory: random, 10% dirty, 65536 pages, writers=4."""
    known = [list(rows[key].unique()) for key in ("workload", "dirty_percent", "pages", "setting")]
    forms = ("{}", "{:g}% dirty", "{} pages", "{}")
    usual = rows["workload"].isin(["idle", "all"]).all()
    parts = [
        form.format(one[0])
        for form, one in zip(forms, known, strict=True)
        if len(one) == 1 and one[0] and not (usual and "dirty" in form)
    ]
    return ", ".join(parts)


def _title(what: str, title: str, rows: pd.DataFrame) -> str:
    lines = [f"{what}, us (median), lower is better", "; ".join(filter(None, [title, memory(rows)])), where(rows)]
    return "\n".join(map(paragraph, lines))


def in_order(rows: pd.DataFrame, vary: str) -> list[Any]:
    """Values of `vary` in the table's order: numbers rising, workloads by what they cost, words with their numbers."""
    if vary == "workload":
        return list(rows.groupby(vary, observed=True)["cost"].median().sort_values().index)
    values = list(rows[vary].cat.categories) if vary == "case" else list(rows[vary].unique())
    if vary == "kind":
        return sorted(values, key=[*KINDS, *values].index)
    return sorted(values, key=_natural) if vary == "setting" else values if vary == "case" else sorted(values)


def _natural(text: str) -> list[Any]:
    """Sort vmas=16 before vmas=256, and 64MiB before 1GiB."""
    sizes = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
    parts = re.findall(r"(\D*?)(?:(\d+(?:\.\d+)?)(GiB|MiB|KiB|B)?|$)", text)
    return [(words, float(number or 0) * sizes.get(unit, 1)) for words, number, unit in parts]


def _wrong_cells(rows: pd.DataFrame, keys: list[str]) -> dict[Any, str]:
    """Wrong pages per interval as text, by (vary, form)."""
    counts = results.exactness(rows, keys).set_index(keys)
    return {
        key: wrong(row["extra"] / row["intervals"], row["missed"] / row["intervals"]) for key, row in counts.iterrows()
    }
