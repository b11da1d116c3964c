# SPDX-License-Identifier: GPL-2.0-only
"""Why verdicts are what they are, as text: what explains them, what was not possible, what did not end well."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import product
from typing import NamedTuple

from bench.harmless import harmless
from bench.plan import catalogue
from bench.plan.interfaces import INTERFACES
from bench.plan.records import BREAKS, REFUSED
from bench.report import verdict_tables as tables
from bench.report.layout import paragraph
from bench.report.numbers import many
from bench.store.verdicts import BROKEN, HERE, LACKS, UNFIT, WORSE, Cell, Verdicts

_KINDS = {
    BREAKS: "Broken: with it a call of the tracked program fails",
    REFUSED: "Refused: the kernel says so with an error, and who asked knows that it must start anew",
    UNFIT: "n/a: the interface has no such call, or the kernel none that the scenario needs",
    HERE: "Not possible on this machine",
}


class Why(NamedTuple):
    """What explains some verdicts, empty where nothing is known that does, and which: by scenario, then interface."""

    why: str
    verdicts: dict[str, dict[str, list[str]]]  # and on which kernels


def explanation(scenario: str, interface: str, *, missed: bool = True) -> str:
    """What explains a verdict that is not the truth; empty where nothing is known that does."""
    entry, row = catalogue.scenarios().get(scenario), INTERFACES.get(interface)
    return (entry.explained(row) or row.misses * missed) if entry and row else ""


def explained(results: Sequence[Verdicts]) -> list[Why]:
    """Return what explains the verdicts that are worse than documented, or broken; what nothing explains comes last."""
    titles, names = tables.headings(results), tables.shown(results)
    found: dict[str, dict[str, dict[str, list[str]]]] = {}
    for scenario, name in product(tables.every(results), names):
        for result, title in zip(results, titles, strict=True):
            cell = result.cells.get((scenario, name))
            if cell and cell.outcome in (WORSE, BROKEN):
                by = found.setdefault(explanation(scenario, name, missed=cell.lost), {}).setdefault(scenario, {})
                by.setdefault(name, []).append(title)
    return [Why(why, by) for why, by in sorted(found.items(), key=lambda one: not one[0])]


def explanations(results: Sequence[Verdicts]) -> str:
    """What explains verdicts, each once, with whose they are; and those that nothing explains."""
    found = explained(results)
    known = [f"{'; '.join(whose(results, one))}: {one.why}" for one in found if one.why]
    unknown = [line for one in found if not one.why for line in whose(results, one)]
    count = sum(len(names) for one in found if not one.why for names in one.verdicts.values())
    parts = []
    for head, lines in (
        ("Why, where it is not as documented:", known),
        (f"Unexplained, {many(count, 'verdict')} of a scenario and interface:", unknown),
    ):
        if lines:
            parts.append("\n".join([paragraph(head), *(paragraph(f"  {line}", hang="    ") for line in lines)]))
    return "\n\n".join(parts)


def whose(results: Sequence[Verdicts], one: Why) -> list[str]:
    """Name verdicts: those scenarios together that have the same interfaces and kernels."""
    together: dict[str, list[str]] = {}
    for scenario, by in one.verdicts.items():
        same: dict[str, list[str]] = {}
        for name, titles in by.items():
            same.setdefault(_on(results, name, titles), []).append(name)
        for where, names in same.items():
            together.setdefault(f"{', '.join(names)}{where}", []).append(scenario)
    return [f"{', '.join(scenarios)} with {names}" for names, scenarios in together.items()]


def _on(results: Sequence[Verdicts], name: str, titles: Iterable[str]) -> str:
    """On which kernels, where that is not on each that has the interface."""
    able = [t for one, t in zip(results, tables.headings(results), strict=True) if one.able(name)]
    return "" if list(titles) == able else f" on {', '.join(titles)}"


def marks(results: Sequence[Verdicts]) -> dict[str, str]:
    """Return a letter for each reason why something was not possible or broke a program, in the order of kinds."""
    whys = [why for some in _grouped(results).values() for why in some]
    return {why: chr(ord("a") + i) if i < 26 else str(i - 25) for i, why in enumerate(whys)}


def _grouped(results: Iterable[Verdicts]) -> dict[str, dict[str, str]]:
    """Reasons and their remedies, by kind."""
    found: dict[str, dict[str, str]] = {kind: {} for kind in _KINDS}
    for result in results:
        for cell in result.cells.values():
            if tables.noted(cell):
                found[cell.no or cell.kind].setdefault(cell.why, cell.remedy)
    return found


def not_possible(results: Sequence[Verdicts]) -> str:
    """Return the reasons by kind, with what would change that, and which kernels lack which interfaces."""
    letters, parts = marks(results), []
    for kind, whys in _grouped(results).items():
        if whys:
            lines = [paragraph(f"{_KINDS[kind]}:")]
            lines += [
                paragraph(f"  {letters[why]} = {why}{_remedy(remedy)}", hang="      ") for why, remedy in whys.items()
            ]
            parts.append("\n".join(lines))
    return "\n\n".join([*parts, *_lacking(results)])


def _remedy(remedy: str) -> str:
    return f" ({remedy})" if remedy else ""


def _lacking(results: Sequence[Verdicts]) -> list[str]:
    """Which interfaces could not be played, on which kernels, each reason once."""
    found: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    for result, title in zip(results, tables.headings(results), strict=True):
        for name in result.interfaces:
            if result.of(name) and not result.able(name):
                cell = result.of(name)[0]
                found.setdefault((cell.no, cell.why, cell.remedy), {}).setdefault(title, []).append(name)
    lines = []
    for (no, why, remedy), by in found.items():
        same: dict[str, list[str]] = {}
        for title, names in by.items():
            same.setdefault(", ".join(names), []).append(title)
        what = "Lacking" if no == LACKS else "Not played"
        for some, titles in same.items():
            kernels = f"{', '.join(titles)}: " if len(results) > 1 else ""
            lines.append(paragraph(f"{what}: {kernels}{some}: {why}{_remedy(remedy)}", hang="  "))
    return ["\n".join(lines)] if lines else []


def endings(results: Sequence[Verdicts], only: Collection[tuple[str, str]] | None = None) -> list[str]:
    """What crashed, hung or failed, with the first line of what the kernel said: a line each. only: of these."""
    lines = []
    for result, title in zip(results, tables.headings(results), strict=True):
        where = f" on {title}" if len(results) > 1 else ""
        for (scenario, name), cell in result.cells.items():
            if cell.ended and not cell.breaks and (only is None or (scenario, name) in only):
                lines.append(f"{cell.kind.upper()}{where}: {name}, {scenario}: {harmless(cell.why, 200)}.")
    return lines


def unsteady(results: Sequence[Verdicts]) -> str:
    """Say which scenarios did not end the same way each time, and how often not."""
    found: dict[str, list[str]] = {}
    for result, title in zip(results, tables.headings(results), strict=True):
        where = f" on {title}" if len(results) > 1 else ""
        for (scenario, name), cell in result.cells.items():
            if cell.unsteady:
                found.setdefault(scenario, []).append(f"{name}{where} {cell.kind} in {cell.like} of {cell.plays}")
    lines = [f"Not the same each time: {scenario}: {', '.join(some)} plays." for scenario, some in found.items()]
    if not lines and any(cell.plays > 1 for result in results for cell in result.cells.values()):
        lines = ["Every scenario ended the same way each time it was played."]
    return "\n".join(paragraph(line, hang="  ") for line in lines)


def contracts(results: Sequence[Verdicts]) -> str:
    """What every scenario is, and its contract where that is not the truth."""
    lines = ["  Scenarios:"]
    for scenario in tables.every(results):
        summary = next((one.scenarios[scenario] for one in results if scenario in one.scenarios), "")
        lines.append(paragraph(f"{scenario}: {summary}", hang="  "))
        lines += [paragraph(f"  contract: {term}", hang="    ") for term in terms(results, scenario)]
    return "\n".join(lines)


def terms(results: Iterable[Verdicts], scenario: str) -> list[str]:
    """The contracts of a scenario, with any interface on any kernel, where they are not the truth."""
    cells: list[Cell] = [cell for one in results for (name, _), cell in one.cells.items() if name == scenario]
    return sorted({cell.contract for cell in cells if cell.contract})
