# SPDX-License-Identifier: GPL-2.0-only
"""The report of results of the suite meaning: its paragraphs in order, its first lines, its frame, what pages cost."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from bench.plan import catalogue
from bench.plan.interfaces import WRITTEN
from bench.plan.records import INSTRUCTIONS, TIME
from bench.report import numbers, origin, sentences, tables, verdict_reasons, verdict_tables
from bench.report.layout import grid, note, paragraph
from bench.report.numbers import many
from bench.store.verdicts import BROKEN, WORSE, Cell, Verdicts


def page(results: Sequence[Verdicts]) -> list[str]:
    """Paragraphs of the report: of one result, a table of scenarios by interface; of several, by kernel."""
    results = verdict_tables.ordered(results)
    several, marks = len(results) > 1, verdict_reasons.marks(results)
    parts = [first(results), verdict_tables.outcomes(results), verdict_reasons.unsteady(results), measured(results)]
    parts += verdict_tables.by_kernel(results, marks) if several else verdict_tables.by_interface(results[0], marks)
    parts += [note(f"{verdict_tables.legend(results)}; letters: see below"), verdict_tables.paths(results, marks)]
    parts += [verdict_reasons.explanations(results), verdict_reasons.not_possible(results)]
    parts += [cost(results[0])] if not several and WRITTEN in verdict_tables.properties(results) else []
    return [part for part in parts if part]


def first(results: Sequence[Verdicts], only: Collection[tuple[str, str]] | None = None) -> str:
    """Return the first lines, wrapped."""
    return "\n".join(paragraph(line, hang="  ") for line in first_lines(results, only))


def first_lines(results: Sequence[Verdicts], only: Collection[tuple[str, str]] | None = None) -> list[str]:
    """Say which boots fell, what probes were answered wrong, what crashed, hung or failed.

    only: of these scenarios and interfaces, where not all are of interest.
    """
    titles = verdict_tables.headings(results) if len(results) > 1 else [""]
    both = list(zip(results, titles, strict=True))
    lines = [line for one, title in both for line in sentences.fallen(one.fallen, title)]
    lines += [line for one, title in both for line in sentences.findings(one.findings, title)]
    return lines + verdict_reasons.endings(results, only)


def measured(results: Sequence[Verdicts]) -> str:
    """What was played, wrapped."""
    return "\n".join(paragraph(line, hang="  ") for line in measured_lines(results))


def measured_lines(results: Sequence[Verdicts]) -> list[str]:
    """Say what was played where and how often, how much of what was planned, and what the kernels' logs said."""
    titles = verdict_tables.headings(results) if len(results) > 1 else [""]
    lines = []
    for result, title in zip(results, titles, strict=True):
        lines += [f"{title}: {line}" if title else line for line in _measured(result)]
        lines += sentences.kernel_log(result.messages, title)
    return lines


def _measured(result: Verdicts) -> list[str]:
    plays = max((cell.plays for cell in result.cells.values()), default=0)
    played = len({scenario for (scenario, _), cell in result.cells.items() if cell.plays})
    asked = sum(catalogue.suits(scenario, name) for scenario in result.scenarios for name in result.interfaces)
    there = len(result.cells)
    lines = [f"INCOMPLETE: {there} of {asked} verdicts."] if there < asked else []
    lines += [f"{one.rstrip('.')}." for one in result.notes]
    suite, where = result.host.get("suite", "meaning"), tables.where(pd.DataFrame([result.host]))
    lines.append(
        f"Measured: suite {suite}, {many(played, 'scenario')}, {where}, "
        f"{result.host.get('cpu_model_name', 'unknown CPU')}; each played {many(plays, 'time')}."
    )
    return lines


def frame(results: Sequence[Verdicts]) -> pd.DataFrame:
    """Return a row per result, scenario and interface: which they are, verdict, pages, plays, reason, contract.

    Results by kernel, scenarios by theme; `no`: which kind of no; `explanation`: of what is worse than documented;
    `shown`: whether the interface has a column of its own.
    """
    results = verdict_tables.ordered(results)
    columns, scenarios = verdict_tables.shown(results), verdict_tables.every(results)
    themes = {name: theme for theme, some in verdict_tables.themed(scenarios).items() for name in some}
    rows = [
        {"result": result.name, "column": title, "where": result.host.get("where"), "scenario": scenario}
        | {"interface": name, "verdict": cell.kind, "extra_pages": cell.extra, "missed_pages": cell.missed}
        | {"text": cell.text(), "written_pages": cell.written, "breaks_contract": int(cell.broken), "plays": cell.plays}
        | {"plays_like_this": cell.like, "reason": cell.why, "contract": cell.contract}
        | {"theme": themes[scenario], "outcome": cell.outcome, "no": cell.no, "shown": int(name in columns)}
        | {"distribution": origin.distribution(result.host)}
        | {"explanation": _explanation(scenario, name, cell)}
        for result, title in zip(results, verdict_tables.headings(results), strict=True)
        for scenario in scenarios
        for name in result.interfaces
        if (cell := result.cells.get((scenario, name)))
    ]
    return pd.DataFrame(rows)


def as_csv(results: Sequence[Verdicts]) -> str:
    """The frame as CSV, a line per verdict."""
    found = frame(results).drop(columns="shown").rename(columns={"column": "kernel"})
    return str(found.to_csv(index=False, lineterminator="\n"))


def cost(result: Verdicts) -> str:
    """Table of what extra pages cost whoever copies what is reported: the interface that reports most, by scenario."""
    page_ns, size = float(result.host["copy_page_ns"]), int(result.host["page_size"])
    counted = result.host["where"] == "tcg-icount"  # a nanosecond of its clock is an instruction
    unit = numbers.of_quantity(INSTRUCTIONS if counted else TIME)
    one_page = page_ns * (1 if counted else 1e-9)
    rows = []
    for scenario in verdict_tables.every([result]):
        some = [(cell.extra, name, cell) for (s, name), cell in result.cells.items() if s == scenario and cell.extra]
        if some:
            extra, name, cell = max(some, key=lambda one: one[0])
            found = cell.written - cell.missed
            sizes = [f"{pages * size >> 10}" for pages in (cell.written, found + extra)]
            rows.append([scenario, name, *sizes, numbers.amount(extra * one_page, unit)])
    if not rows:
        return ""
    title = paragraph("What extra pages cost an interval whose pages are copied, lower is better")
    heads = [["", "", "written", "copied", "lost"], ["scenario", "the most with", "KiB", "KiB", unit.title]]
    where = tables.where(pd.DataFrame([result.host]))
    copying = (
        f"{page_ns:.0f} {unit.word if counted else 'ns'}, what it takes to copy a page of {size} bytes in the cache"
    )
    table = grid(heads, rows, left=2, bar=verdict_tables.BAR)
    return f"{title}\n\n{table}\n{note(f'lost = extra pages x {copying}; {where}')}"


def _explanation(scenario: str, interface: str, cell: Cell) -> str:
    if cell.outcome not in (WORSE, BROKEN):
        return ""
    return verdict_reasons.explanation(scenario, interface, missed=cell.lost)
