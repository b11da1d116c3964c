# SPDX-License-Identifier: GPL-2.0-only
"""The text of results of the suite meaning: verdicts in tables for a mail, reasons, contracts, their cost."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.plan.records import INSTRUCTIONS, TIME
from bench.report import numbers, sentences, tables
from bench.report.layout import fitting, grid, note, paragraph
from bench.report.numbers import many
from bench.store.verdicts import EXACT, EXTRA, FAILED, MISSED, NOT_POSSIBLE, Cell, Verdicts

BAR = "  "
LEGEND = (
    "exact: just the pages whose content changed; +N: N extra pages, -N: N missed, the most of any play; in "
    "parentheses: as the interface's contract allows; ~: not every time; no: not possible, see below"
)


def page(results: Sequence[Verdicts]) -> list[str]:
    """Paragraphs of the report: of one result, a table of scenarios by interface; of several, by kernel."""
    one = results[0]
    several = len(results) > 1
    parts = [_wrong(results), _counts(results) if several else _findings(one), _unsteady(results)]
    parts += [_measured(result) for result in results]
    parts += _by_kernel(results) if several else _by_interface(one)
    parts += [note(LEGEND)]
    parts += [_not_possible(results)]
    parts += [] if several else [_cost(one)]
    return [part for part in parts if part]


def contracts(result: Verdicts) -> str:
    """What every scenario is, and its contract where that is not the truth."""
    lines = ["  Scenarios:"]
    for scenario, summary in result.scenarios.items():
        lines.append(paragraph(f"{scenario}: {summary}", hang="  "))
        terms = {cell.contract for (name, _), cell in result.cells.items() if name == scenario and cell.contract}
        lines += [paragraph(f"  contract: {term}", hang="    ") for term in sorted(terms)]
    return "\n".join(lines)


def frame(results: Sequence[Verdicts]) -> pd.DataFrame:
    """Return a row per result, scenario and interface: which they are, verdict, pages, plays, reason, contract."""
    titles = headings(results)
    rows = [
        {"result": result.name, "column": title, "where": result.host.get("where"), "scenario": scenario}
        | {"interface": name, "verdict": cell.kind, "extra_pages": cell.extra, "missed_pages": cell.missed}
        | {"text": cell.text(), "written_pages": cell.written, "breaks_contract": int(cell.broken), "plays": cell.plays}
        | {"plays_like_this": cell.like, "reason": cell.why, "contract": cell.contract}
        for result, title in zip(results, titles, strict=True)
        for scenario in result.scenarios
        for name in result.interfaces
        if (cell := result.cells.get((scenario, name)))
    ]
    return pd.DataFrame(rows)


def as_csv(results: Sequence[Verdicts]) -> str:
    """The frame as CSV, a line per verdict."""
    return frame(results).rename(columns={"column": "kernel"}).to_csv(index=False, lineterminator="\n")


def headings(results: Sequence[Verdicts]) -> list[str]:
    """Short names of results for columns: the kernel's version, or the result's name where two have one kernel."""
    short = [result.kernel for result in results]
    return short if len(set(short)) == len(short) else [result.name for result in results]


def _kinds(result: Verdicts, name: str) -> list[int]:
    """Return how many scenarios of an interface were exact, had extra pages, missed ones, were not possible."""
    cells = [cell for (_, interface), cell in result.cells.items() if interface == name]
    return [sum(cell.kind == kind for cell in cells) for kind in (EXACT, EXTRA, MISSED, NOT_POSSIBLE)]


def _wrong(results: Sequence[Verdicts]) -> str:
    """Which boots fell, and what probes were answered wrong, for the first lines."""
    titles = headings(results) if len(results) > 1 else [""]
    both = list(zip(results, titles, strict=True))
    lines = [line for one, title in both for line in sentences.fallen(one.fallen, title)]
    lines += [line for one, title in both for line in sentences.findings(one.findings, title)]
    return "\n".join(paragraph(line, hang="  ") for line in lines)


def _findings(result: Verdicts) -> str:
    """One sentence for each interface: how many scenarios ended how; first what failed."""
    failed = [
        f"FAILED: {name}, {scenario}: {cell.why}."
        for (scenario, name), cell in result.cells.items()
        if cell.kind == FAILED
    ]
    lines = [paragraph(line, hang="  ") for line in failed]
    for name in result.interfaces:
        exact, extra, missed, no = _kinds(result, name)
        cells = [cell for (_, interface), cell in result.cells.items() if interface == name]
        broken = sum(cell.broken for cell in cells)
        text = (
            f"{name}: of {many(len(cells), 'scenario')}, {exact} exact, {extra} with extra pages, {missed} with "
            f"missed ones ({broken} against the contract), {no} not possible."
        )
        if no == len(cells):
            text = f"{name}: not possible: {cells[0].why}." if cells else f"{name}: not played."
        lines.append(paragraph(text, hang="  "))
    return "\n".join(lines)


def _counts(results: Sequence[Verdicts]) -> str:
    """Return tables of how many scenarios ended how, interface by kernel."""
    names = list(dict.fromkeys(name for result in results for name in result.interfaces))
    columns = [["/".join(map(str, _kinds(result, name))) for name in names] for result in results]
    titles = headings(results)
    title = paragraph("Scenarios exact / with extra pages / with missed pages / not possible")
    parts = []
    widths = [max(map(len, [*column, t])) for column, t in zip(columns, titles, strict=True)]
    for cut in fitting(widths, max(map(len, ["interface", *names])), len(BAR)):
        rows = [list(row) for row in zip(names, *columns[cut], strict=True)]
        parts.append(f"{title}\n\n{grid([['interface', *titles[cut]]], rows, bar=BAR)}")
    return "\n\n".join(parts)


def _unsteady(results: Sequence[Verdicts]) -> str:
    """Say which scenarios did not end the same way each time, and how often not."""
    found: dict[str, list[str]] = {}
    for result, title in zip(results, headings(results), strict=True):
        where = f" on {title}" if len(results) > 1 else ""
        for (scenario, name), cell in result.cells.items():
            if cell.unsteady:
                text = f"{name}{where} {cell.kind} in {cell.like} of {cell.plays}"
                found.setdefault(scenario, []).append(text)
    lines = [f"Not the same each time: {scenario}: {', '.join(some)} plays." for scenario, some in found.items()]
    if not lines and any(cell.plays > 1 for result in results for cell in result.cells.values()):
        lines = ["Every scenario ended the same way each time it was played."]
    return "\n".join(paragraph(line, hang="  ") for line in lines)


def _measured(result: Verdicts) -> str:
    plays = max((cell.plays for cell in result.cells.values()), default=0)
    where = tables.where(pd.DataFrame([result.host]))
    played = len({scenario for (scenario, _), cell in result.cells.items() if cell.plays})
    asked, there = len(result.scenarios) * len(result.interfaces), len(result.cells)
    lines = [f"INCOMPLETE: {there} of {asked} verdicts."] if there < asked else []
    lines += [f"{note.rstrip('.')}." for note in result.notes]
    lines.append(
        f"Measured: suite meaning, {many(played, 'scenario')}, {where}, "
        f"{result.host.get('cpu_model_name', 'unknown CPU')}; each played {many(plays, 'time')}."
    )
    lines += sentences.kernel_log(result.messages)
    return "\n".join(map(paragraph, lines))


def _by_interface(result: Verdicts) -> list[str]:
    """Tables of scenarios by interface, as many as are needed to stay narrow."""
    names = [name for name in result.interfaces if _able(result, name)]
    marks = _reasons([result])
    columns = {name: [_text(result.cells.get((s, name)), marks) for s in result.scenarios] for name in names}
    widths = [max(map(len, [*columns[name], *_split(name)])) for name in names]
    parts = []
    for cut in fitting(widths, max(map(len, result.scenarios)), len(BAR)) if names else ():
        some = names[cut]
        rows = [list(row) for row in zip(result.scenarios, *(columns[name] for name in some), strict=True)]
        heads = list(zip(("", "scenario"), *map(_split, some), strict=True))
        title = f"Pages reported against pages changed; {tables.where(pd.DataFrame([result.host]))}"
        parts.append(f"{paragraph(title)}\n\n{grid(heads, rows, bar=BAR)}")
    return parts


def _able(result: Verdicts, name: str) -> bool:
    return any(cell.plays for (_, interface), cell in result.cells.items() if interface == name)


def _by_kernel(results: Sequence[Verdicts]) -> list[str]:
    """Return a table for each interface: scenarios by kernel, those exact everywhere in one line."""
    titles, marks = headings(results), _reasons(results)
    scenarios = list(dict.fromkeys(s for result in results for s in result.scenarios))
    parts = []
    for name in dict.fromkeys(name for result in results for name in result.interfaces):
        able = [i for i, result in enumerate(results) if _able(result, name)]
        columns = [[_text(results[i].cells.get((s, name)), marks) for s in scenarios] for i in able]
        widths = [max(map(len, [*column, titles[i]])) for i, column in zip(able, columns, strict=True)]
        for cut in fitting(widths, max(map(len, scenarios)), len(BAR)) if able else ():
            rows = [list(row) for row in zip(scenarios, *columns[cut], strict=True)]
            exact = [row[0] for row in rows if set(row[1:]) == {EXACT}]
            rows = [row for row in rows if set(row[1:]) != {EXACT}]
            title = paragraph(f"{name}: pages reported against pages changed, by kernel")
            rest = paragraph(f"Exact on each: {', '.join(exact) or 'none'}.", hang="  ")
            heads = [["scenario", *(titles[i] for i in able[cut])]]
            parts.append(f"{title}\n\n{grid(heads, rows, bar=BAR)}\n{rest}")
    return parts


def _split(name: str) -> tuple[str, str]:
    """Split an interface's name over two lines: scan- and softdirty."""
    cut = max(name.rfind("-"), name.find("_")) + 1
    return (name[:cut], name[cut:]) if cut else ("", name)


def _reasons(results: Sequence[Verdicts]) -> dict[str, str]:
    """Return a letter for each reason why something was not possible, in their order."""
    whys = dict.fromkeys(cell.why for result in results for cell in result.cells.values() if cell.plays and cell.why)
    return {why: chr(ord("a") + i) if i < 26 else str(i - 25) for i, why in enumerate(whys)}


def _text(cell: Cell | None, marks: dict[str, str]) -> str:
    if cell is None:
        return ""
    return cell.text() + (f":{marks[cell.why]}" if cell.why in marks else "")


def _not_possible(results: Sequence[Verdicts]) -> str:
    """Return the reasons, with what would change that."""
    remedies = {cell.why: cell.remedy for result in results for cell in result.cells.values()}
    lines = [
        f"no:{mark} = {why}{f' ({remedies[why]})' * bool(remedies[why])}" for why, mark in _reasons(results).items()
    ]
    for result, title in zip(results, headings(results), strict=True):
        whose = f"{title}, " if len(results) > 1 else ""
        for name in result.interfaces:
            cells = [cell for (_, interface), cell in result.cells.items() if interface == name]
            if cells and not any(cell.plays for cell in cells):
                lines.append(f"Not possible: {whose}{name}: {cells[0].why} ({cells[0].remedy})")
    return "\n".join(paragraph(line, hang="  ") for line in lines)


def _cost(result: Verdicts) -> str:
    """Table of what extra pages cost whoever copies what is reported: the interface that reports most, by scenario."""
    page_ns, size = float(result.host["copy_page_ns"]), int(result.host["page_size"])
    counted = result.host["where"] == "tcg-icount"  # a nanosecond of its clock is an instruction
    unit = numbers.of_quantity(INSTRUCTIONS if counted else TIME)
    one_page = page_ns * (1 if counted else 1e-9)
    rows = []
    for scenario in result.scenarios:
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
    return f"{title}\n\n{grid(heads, rows, left=2, bar=BAR)}\n{note(f'lost = extra pages x {copying}; {where}')}"
