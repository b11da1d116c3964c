# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts as one self-contained HTML file: the matrix with its reasons, the plot, contracts, machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.report import html, meaning, origin, verdict_reasons, verdict_tables
from bench.store.verdicts import BETTER, BROKEN, DOCUMENTED, EXACT, NOT_POSSIBLE, WORSE, Cell, Verdicts

_LOOKS = {BETTER: "better", WORSE: "worse", BROKEN: "broken"}


class Column(NamedTuple):
    """An interface on a kernel; `first`: the first of its interface."""

    interface: str
    kernel: str
    where: str
    first: bool


class Shown(NamedTuple):
    """A verdict: its text, its look, and what explains it."""

    text: str
    look: str
    why: str


class Row(NamedTuple):
    """A scenario: what happens in it, its verdicts in the order of columns, its contracts."""

    name: str
    summary: str
    cells: list[Shown]
    terms: list[str]


def page(results: Sequence[Verdicts], machines: str, figures: Mapping[str, str]) -> str:
    """Return the whole file; the same data gives the same text. It loads nothing and needs no script to be read.

    machines: what is said of them, and how to repeat it; figures: plot -> SVG. All may be hostile and is escaped.
    """
    results = verdict_tables.ordered(results)
    titles = verdict_tables.headings(results)
    places = [
        (name, result, title)
        for name in verdict_tables.shown(results)
        for result, title in zip(results, titles, strict=True)
        if result.able(name)
    ]
    columns = [
        Column(
            name,
            title,
            f"{origin.distribution(one.host)} {verdict_tables.machine(one.host)}".strip(),
            _first(i, places),
        )
        for i, (name, one, title) in enumerate(places)
    ]
    themes = {
        theme: [_row(scenario, results, [(name, one) for name, one, _ in places], columns) for scenario in some]
        for theme, some in verdict_tables.themed(verdict_tables.every(results)).items()
    }
    explained = [(one.why, verdict_reasons.whose(results, one)) for one in verdict_reasons.explained(results)]
    return html.rendered(
        "meaning.html",
        figures,
        name=", ".join(one.name for one in results),
        first="\n".join(meaning.first_lines(results)),
        measured=meaning.measured_lines(results),
        legend=verdict_tables.legend(results),
        ends=verdict_tables.ENDS,
        ended=verdict_tables.ENDED,
        summed=verdict_tables.summed(results),
        columns=columns,
        themes=themes,
        explained=explained,
        machines=machines,
    )


def _first(i: int, places: Sequence[tuple[str, Verdicts, str]]) -> bool:
    return i == 0 or places[i - 1][0] != places[i][0]


def _row(
    scenario: str, results: Sequence[Verdicts], places: Sequence[tuple[str, Verdicts]], columns: Sequence[Column]
) -> Row:
    summary = next((one.scenarios[scenario] for one in results if scenario in one.scenarios), "")
    cells = [
        _shown(scenario, name, one.cells.get((scenario, name)), first=column.first)
        for (name, one), column in zip(places, columns, strict=True)
    ]
    return Row(scenario, summary, cells, verdict_reasons.terms(results, scenario))


def _shown(scenario: str, name: str, cell: Cell | None, *, first: bool) -> Shown:
    if cell is None:
        return Shown("", "first" * first, "")
    look = "no" if cell.kind == NOT_POSSIBLE else _LOOKS.get(cell.outcome, "" if cell.kind == EXACT else "documented")
    why = f"{cell.why}{f' ({cell.remedy})' if cell.remedy else ''}"
    if cell.outcome in (WORSE, BROKEN):
        known = verdict_reasons.explanation(scenario, name, missed=cell.lost) or "no source explains it"
        why = "; ".join(filter(None, [why, known]))
    elif cell.outcome == DOCUMENTED and cell.kind != EXACT:
        why = cell.contract
    return Shown(cell.text(), " ".join(filter(None, [look, "first" * first])), why)
