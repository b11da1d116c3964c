# SPDX-License-Identifier: GPL-2.0-only
"""A comparison as text for a mail and as Markdown: a line for each case, and what its numbers mean."""

import math
import re
from typing import Any

import numpy as np
import pandas as pd

from bench.plan.interfaces import INTERFACES
from bench.plan.records import WAITS
from bench.report import changes, numbers, sentences, tables
from bench.report.functions import Section
from bench.report.layout import grid, note, paragraph
from bench.report.numbers import many, percent
from bench.stats import choice, comparison, samples
from bench.stats.comparison import Comparison
from bench.store.frames import POINT

_SIGNS = re.compile(r"([\\|~*`\[\]])")  # what Markdown would take for its own
NEWS = 2  # new results that fit beside the base in 72 columns


def text(made: Comparison, *, sort: str = "case", sign: str = "change") -> str:
    """The whole comparison as mail text: verdict, warnings, a line for each case, what is behind the numbers."""
    parts = [changes.verdict(made, sign), *changes.warnings(made)]
    head = [paragraph(line, hang="  ") for line in _first(made)]
    paragraphs = ["\n".join(head)] if head else []
    paragraphs += [paragraph(line, hang="  " if i else "") for i, line in enumerate(parts)]
    return "\n\n".join([*paragraphs, legend(made), table(made, made.frame, sort=sort, sign=sign), notes(made, sign)])


def _first(made: Comparison) -> list[str]:
    """What is said before the verdict: which boots fell, and where something was wrong."""
    fallen = [line for one in made.sides for line in sentences.fallen(one.result.fallen, one.name)]
    return fallen + [line for one in made.sides for line in sentences.wrong(one.rows, one.result, one.name)]


def legend(made: Comparison) -> str:
    """Which result is which, what was measured how often, and in what."""
    lines = [
        f"{head}: {one.name}, {tables.where(one.rows)}, {sentences.sample(one.rows)}"
        for head, one in zip(["base", *_heads(made)], made.sides, strict=True)
    ]
    few = "" if made.frame["enough"].all() else f", or range of fewer than {samples.ENOUGH} runs"
    spread = f"+- the furthest {made.unit(made.sides[-1].name)}" if made.counted else f"+- 95% CI{few}"
    unit = numbers.unit(made.frame).title
    what = f"One tracking interval: {changes.METRICS[made.metric]}, {unit} (median {spread}), lower is better"
    return "\n".join(
        [
            paragraph(what),
            paragraph(tables.memory(made.sides[0].rows)),
            *(paragraph(line, hang="    ") for line in lines),
        ]
    )


def _heads(made: Comparison) -> list[str]:
    news = len(made.sides) - 1
    return ["new"] if news == 1 else [f"new {i + 1}" for i in range(news)]


def table(made: Comparison, frame: pd.DataFrame, *, sort: str = "case", sign: str = "change") -> str:
    """Rows of Comparison.frame as text, grouped by form; several new results side by side, NEWS at a time."""
    names = [one.name for one in made.sides[1:]]
    if len(names) == 1:
        return grid(*_two(made, frame, sort, sign), bar="  ")
    blocks = [
        grid(*_several(made, frame, names[i : i + NEWS], sort, sign), bar="  ") for i in range(0, len(names), NEWS)
    ]
    return "\n\n".join(blocks)


def _two(made: Comparison, frame: pd.DataFrame, sort: str, sign: str) -> tuple[list[list[str]], list[list[str]]]:
    """Heads and body of base against one new result; p where there is a test."""
    body: list[list[str]] = []
    name, tested = made.sides[1].name, not made.counted
    for form, rows in _groups(frame, sort):
        body += [[form]]
        for row in rows.itertuples():
            cells = [*(_cell(row, side) for side in ("base", "new")), _change(row, sign)]
            body.append([f"  {tables.series(row)} {row.pages}", *cells, *([numbers.chance(row.p_holm)] * tested)])
        mean = f"  geomean of {(made.frame['form'] == form).sum()}"
        body += [[mean, "", "", percent(made.geomean(name, form)[0], sign), *([""] * tested)]]
    body += [[], ["geomean of all", "", "", percent(made.geomean(name, "")[0], sign), *([""] * tested)]]
    for what, row in _extremes(made) if len(frame) < len(made.frame) else []:
        cells = [*(_cell(row, side) for side in ("base", "new")), _change(row, sign)]
        body += [[f"{what}: {row.form}"]]
        body += [[f"  {tables.series(row)} {row.pages}", *cells, *([numbers.chance(row.p_holm)] * tested)]]
    return [["case, pages", "base", "new", sign, *(["p (Holm)"] * tested)]], body


def _several(
    made: Comparison, frame: pd.DataFrame, names: list[str], sort: str, sign: str
) -> tuple[list[list[str]], list[list[str]]]:
    """Heads and body of several new results, a column each, against the base."""
    heads = dict(zip((one.name for one in made.sides[1:]), _heads(made), strict=True))
    body: list[list[str]] = []
    for form, rows in _groups(frame, sort):
        body += [[form]]
        for _, case in rows.groupby(POINT, sort=False):
            news = {row.new_name: row for row in case.itertuples()}
            first = next(iter(news.values()))
            cells = [_change(news[n], sign, bounds=True) if n in news else "" for n in names]
            body.append([f"  {tables.series(first)} {first.pages}", _cell(first, "base"), *cells])
        mean = f"  geomean of {len(made.frame.loc[made.frame['form'] == form, POINT].drop_duplicates())}"
        body += [[mean, "", *(percent(made.geomean(n, form)[0], sign) for n in names)]]
    body += [[], ["geomean of all", "", *(percent(made.geomean(n, "")[0], sign) for n in names)]]
    for what, row in _extremes(made) if len(frame) < len(made.frame) else []:
        cells = [_change(row, sign, bounds=True) if row.new_name == n else "" for n in names]
        body += [[f"{what}: {row.form}"]] if any(cells) else []
        body += [[f"  {tables.series(row)} {row.pages}", _cell(row, "base"), *cells]] if any(cells) else []
    return [["case, pages", "base", *(heads[name] for name in names)]], body


def representative(made: Comparison) -> pd.DataFrame:
    """Rows of the cases that stand for all where space is short: chosen before anything was measured."""
    return choice.representative(made.frame)


def _extremes(made: Comparison) -> list[tuple[str, Any]]:
    """The claimed cases that changed most to either side, each with what it is."""
    claimed = made.frame[made.frame["significant"] & np.isfinite(made.frame["ratio"].to_numpy(dtype=np.float64))]
    rows = list(claimed.sort_values("ratio", kind="stable").itertuples())
    cases = many(len(made.frame), "case")
    found = [(f"highest of {cases}", rows[-1])] if rows and rows[-1].ratio > 1 else []
    return [*found, *([(f"lowest of {cases}", rows[0])] if rows and rows[0].ratio < 1 else [])]


def _groups(frame: pd.DataFrame, sort: str) -> Any:
    """Rows by form, in the wished order."""
    by = {"case": ["workload", "dirty_percent", "pages"], "change": ["ratio"], "p": ["p_holm", "ratio"]}[sort]
    return frame.sort_values(by, kind="stable").groupby("form", observed=True)


def wrong(row: Any, side: str) -> str:
    """Wrong pages per interval of one side of a row."""
    return numbers.wrong(getattr(row, f"{side}_extra"), getattr(row, f"{side}_missed"))


def _cell(row: Any, side: str) -> str:
    """Median and half width of its interval; * where an interval was wrong."""
    found = {"median": getattr(row, side), "low": getattr(row, f"{side}_low"), "high": getattr(row, f"{side}_high")}
    unit = numbers.of_quantity(row.quantity)
    return f"{'*' * bool(wrong(row, side))}{numbers.amount(found['median'], unit)} {numbers.spread(found)}".strip()


def _change(row: Any, sign: str, *, bounds: bool = False) -> str:
    if not math.isfinite(row.ratio):
        return "?"
    if not row.significant:
        return f"{percent(row.ratio, sign)} ~"
    half = max(row.high - row.ratio, row.ratio - row.low)
    shown = ("*" if bounds and wrong(row, "new") else "") + percent(row.ratio, sign)
    return f"{shown} +-{numbers.digits(100 * half)}%" if bounds and math.isfinite(half) else shown


def notes(made: Comparison, sign: str) -> str:
    """What the table's numbers and signs mean."""
    unit = numbers.unit(made.frame)
    means = {
        "change": f"change = new/old - 1, less than 0 is {unit.less}",
        "improvement": f"improvement = 1 - new/old, more than 0 is {unit.less}",
    }
    units = " or ".join(dict.fromkeys(changes.units(made, one.name) for one in made.sides[1:]))
    if made.counted:
        least = f"{100 * samples.least_change(*(one.rows for one in made.sides)):g}%"
        unclear = (
            f"a change counts where the ranges of the {units} (of ten or more, without a tenth on each side) do not "
            f"overlap, and the medians are further apart than both ranges together, than {least}, and than what the "
            f"{units} of the middle case differ by{_walked(made)}{_chance(made)}; ~ = it does not; says nothing about "
            "hardware"
        )
    else:
        tests = many(made.tests, "test")
        unclear = f"~ = not significant, Mann-Whitney on the medians of the {units}, Holm over {tests}, {made.alpha:g}"
    said = [means[sign], unclear]
    if made.frame["ratio"].isna().any():
        said.append("? = a median is not positive")
    if (made.frame[["base_extra", "base_missed", "new_extra", "new_missed"]] != 0).any(axis=None):
        said.append("* = not every interval was exact")
    return note("; ".join(said))


def _chance(made: Comparison) -> str:
    """What else a change of what bystanders note must be."""
    if made.metric not in WAITS:
        return ""
    return f", and than {comparison.WAITS_TIMES} times: which operations meet a phase is chance"


def _walked(made: Comparison) -> str:
    """What else a change must be more than, where counts are exact."""
    if not samples.exact(*(one.rows for one in made.sides)):
        return ""
    names = " and ".join(name for name, row in INTERFACES.items() if row.role in comparison.WALKING)
    walked = f"in {names}, which walk the whole process, than {comparison.OF_WORKER}"
    return f", and than {samples.EXACT_LEAST} instructions, {walked}"


def markdown(made: Comparison, *, sort: str = "case", sign: str = "change") -> str:
    """The comparison for an issue tracker: verdict, warnings, one table."""
    unit, tested, named = numbers.unit(made.frame).title, not made.counted, len(made.sides) > 2
    bounds = "range" if made.counted else "95% CI" if made.frame["enough"].all() else "95% CI or range"
    heads = ["result"] * named + ["interface", "case", f"base, {unit}", f"new, {unit}", sign, bounds]
    heads += ["p (Holm)"] * tested + ["wrong pages"]
    lines = [f"**{_escaped(line)}**" for line in _first(made)]
    lines += [
        f"**{_escaped(changes.verdict(made, sign))}**",
        *map(_escaped, changes.warnings(made)),
        _escaped(f"One tracking interval: {changes.METRICS[made.metric]}; lower is better"),
    ]
    body = [heads, ["---" if head in ("interface", "case", "result") else "---:" for head in heads]]
    for form, rows in _groups(made.frame, sort):
        for row in rows.itertuples():
            ends = " to ".join(percent(b, sign) for b in sorted([row.low, row.high], reverse=sign != "change"))
            cells = [form, f"{tables.series(row)} {row.pages}", _cell(row, "base"), _cell(row, "new")]
            cells += [_change(row, sign), ends, *([numbers.chance(row.p_holm)] * tested)]
            cells.append(" / ".join(filter(None, [wrong(row, "base"), wrong(row, "new")])))
            body.append([row.new_name] * named + cells)
    lines.append("\n".join(f"| {' | '.join(map(_escaped, cells))} |" for cells in body))
    return "\n\n".join(lines)


def _escaped(cell: str) -> str:
    return _SIGNS.sub(r"\\\1", cell).replace("<", "&lt;") if set(cell) - set("-: ") else cell


def drawn(made: Comparison) -> pd.DataFrame:
    """Comparison.frame with what plots write beside it: `base_where`, `new_where`, `base_wrong`, `new_wrong`."""
    where = {one.name: tables.where(one.rows) for one in made.sides}
    frame = made.frame.assign(**{f"{side}_where": made.frame[f"{side}_name"].map(where) for side in ("base", "new")})
    rows = list(frame.itertuples())
    return frame.assign(**{f"{side}_wrong": [wrong(row, side) for row in rows] for side in ("base", "new")})


def as_html(made: Comparison, *, sort: str = "case", sign: str = "change") -> str:
    """The comparison as one page that loads nothing: verdict, warnings, a table for each form and new result."""
    from bench.report import html  # noqa: PLC0415  (jinja2: only for this)

    tested = not made.counted
    sections = []
    for name, whole in made.frame.groupby("new_name", sort=False):
        for form, rows in _groups(whole, sort):
            body = [
                [
                    f"{tables.series(row)} {row.pages}",
                    *(_cell(row, side) for side in ("base", "new")),
                    _change(row, sign),
                ]
                + [numbers.chance(row.p_holm)] * tested
                for row in rows.itertuples()
            ]
            mean = percent(made.geomean(str(name), form)[0], sign)
            body.append([f"geomean of {len(rows)}", "", "", mean, *([""] * tested)])
            whose = f" of {name}" if len(made.sides) > 2 else ""
            sections.append(
                Section(f"{form}{whose}", ["case, pages", "base", "new", sign, *["p (Holm)"] * tested], body, [])
            )
    first = [*_first(made), changes.verdict(made, sign), *changes.warnings(made)]
    last = [" ".join(part.split()) for part in (legend(made), notes(made, sign))]
    return html.ledger(first, sections, last)
