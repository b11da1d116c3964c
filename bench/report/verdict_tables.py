# SPDX-License-Identifier: GPL-2.0-only
"""Tables of verdicts for a mail: outcomes summed, scenarios by interface or kernel, and where paths differ."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from bench.plan import catalogue
from bench.plan.interfaces import ACCESSED, INTERFACES, WRITTEN
from bench.plan.records import REFUSED
from bench.report import origin, tables
from bench.report.layout import fitting, grid, note, paragraph
from bench.store.verdicts import (
    BETTER,
    BROKEN,
    DOCUMENTED,
    EXACT,
    HERE,
    LACKS,
    NOT_POSSIBLE,
    UNFIT,
    WORSE,
    Cell,
    Verdicts,
)

BAR = "  "
_LEGEND = (
    "exact: just the pages {truth}; +N: N extra pages, -N: N missed, the most of any play; in "
    "parentheses: as documented; without, an extra page is worse than documented, a missed one broken; breaks: a call "
    "of the tracked program fails; ~: not every time; refused: by the kernel, with an error; n/a: it has no such call; "
    "no: not possible here"
)
ENDS = ("exact", DOCUMENTED.split()[-1], BETTER, WORSE, BROKEN, REFUSED, "n/a", "no")
ENDED = (
    "exact: just what changed, as promised; documented: otherwise, as the kernel's documents have it; better: exact "
    "where they promise less; worse: extra pages; broken: missed ones, or a call that fails"
)
# Of a property, in titles and legends: what was done to pages that should be reported, and which they are.
DONE = {WRITTEN: "changed", ACCESSED: "accessed"}
_TRUTH = {WRITTEN: "whose content changed", ACCESSED: "that were accessed"}
_OTHER = "other"  # the theme of scenarios that this version has not
_MACHINES = {"bare-metal": "metal", "kvm": "KVM", "tcg": "TCG", "tcg-icount": "TCG"}
Marks = Mapping[str, str]  # the letter of each reason


def ordered(results: Iterable[Verdicts]) -> list[Verdicts]:
    """Results by their kernel's version; a release candidate comes before its release."""

    def key(one: Verdicts) -> tuple[list[int], int]:
        candidate = re.search(r"-rc(\d+)", str(one.host["kernel_release"]))
        return [int(part) for part in re.findall(r"\d{1,9}", one.kernel)], int(candidate[1]) if candidate else 1 << 30

    return sorted(results, key=key)


def headings(results: Sequence[Verdicts]) -> list[str]:
    """Short names of results for columns: the kernel's version; where several have one, how their names differ."""
    known = Counter(result.kernel for result in results)
    alike = os.path.commonprefix([one.name for one in results if known[one.kernel] > 1])  # noqa: RUF071  (no paths)
    alike = alike[: alike.rfind("-") + 1]
    short = [one.kernel if known[one.kernel] == 1 else one.name.removeprefix(alike) for one in results]
    return short if len(set(short)) == len(short) else [result.name for result in results]


def machine(host: Mapping[str, Any]) -> str:
    """What a kernel ran on, in a word: KVM, TCG, metal, VM."""
    return _MACHINES.get(str(host["where"]), "VM")


def themed(scenarios: Iterable[str]) -> dict[str, list[str]]:
    """Scenarios by theme, in the order of themes."""
    known = catalogue.scenarios()
    found: dict[str, list[str]] = {theme: [] for theme in (*catalogue.THEMES, _OTHER)}
    for name in scenarios:
        theme = known[name].theme if name in known else _OTHER
        found[theme if theme in found else _OTHER].append(name)
    return {theme: some for theme, some in found.items() if some}


def properties(results: Iterable[Verdicts]) -> list[str]:
    """Return the properties that the interfaces of results report, in the order of tables."""
    found = {prop(name) for result in results for name in result.interfaces}
    return [one for one in DONE if one in found]


def prop(name: str) -> str:
    """The property that an interface reports."""
    return INTERFACES[name].prop if name in INTERFACES else WRITTEN


def truths(results: Iterable[Verdicts]) -> str:
    """Which pages an interface should report, in words."""
    return " or ".join(_TRUTH[one] for one in properties(results))


def legend(results: Iterable[Verdicts]) -> str:
    """What the cells of tables mean."""
    return _LEGEND.format(truth=truths(results))


def every(results: Iterable[Verdicts]) -> list[str]:
    """Return all scenarios, by theme."""
    names = dict.fromkeys(scenario for result in results for scenario in result.scenarios)
    return [name for some in themed(names).values() for name in some]


def shown(results: Iterable[Verdicts]) -> list[str]:
    """Interfaces that some kernel has; a path of another only where it differs from that one."""
    results = list(results)
    found = dict.fromkeys(name for result in results for name in result.interfaces)
    names = [*(name for name in INTERFACES if name in found), *(name for name in found if name not in INTERFACES)]
    able = [name for name in names if any(result.able(name) for result in results)]
    return [name for name in able if parent(name) not in able or differing(results, name)]


def parent(name: str) -> str:
    """The interface of which this is another path; empty where it is none."""
    return INTERFACES[name].path_of if name in INTERFACES else ""


def columns(results: Sequence[Verdicts]) -> list[str]:
    """Interfaces that have a column or a table of their own: no path of another that is there, too."""
    names = shown(results)
    return [name for name in names if parent(name) not in names]


def differing(results: Iterable[Verdicts], name: str) -> list[tuple[Verdicts, str]]:
    """Where a path differs from the interface that it is another path of: results and scenarios."""
    found = []
    for result in results:
        for scenario in result.scenarios:
            cells = [result.cells.get((scenario, one)) for one in (parent(name), name)]
            if cells[0] and cells[1] and _differ(cells[0], cells[1]):
                found.append((result, scenario))
    return found


def _differ(one: Cell, other: Cell) -> bool:
    """Whether two verdicts are of different sorts: how many pages a race loses is luck, and no call is no answer."""
    if {one.no, other.no} & {UNFIT, LACKS}:
        return False
    if one.unsteady or other.unsteady:
        return one.outcome != other.outcome
    return one.text() != other.text()


def outcomes(results: Sequence[Verdicts]) -> str:
    """How many scenarios ended how: a line for each interface, or for each interface and kernel."""
    body: list[list[str]] = []
    above = ""
    for name, title, counts in summed(results):
        body += [[name]] if len(results) > 1 and name != above else []
        above = name
        body.append([f"  {title}" if len(results) > 1 else name, *counts])
    title = paragraph("How many scenarios ended how, against what is documented")
    return f"{title}\n\n{grid([['interface', *ENDS]], body, bar=BAR)}\n{note(ENDED)}"


def summed(results: Sequence[Verdicts]) -> list[tuple[str, str, list[str]]]:
    """Return how many scenarios ended how, as ENDS, with an interface on a kernel; nothing where none did."""
    return [
        (name, title, [str(count or "") for count in counted(result, name)])
        for name in shown(results)
        for result, title in zip(results, headings(results), strict=True)
        if result.able(name)
    ]


def counted(result: Verdicts, name: str) -> list[int]:
    """Return how many scenarios of an interface ended how, as ENDS."""
    cells = result.of(name)
    exact = sum(cell.outcome == DOCUMENTED and cell.kind == EXACT for cell in cells)
    found = [sum(cell.outcome == one for cell in cells) for one in (DOCUMENTED, BETTER, WORSE, BROKEN)]
    noes = [sum(cell.no == one for cell in cells) for one in (REFUSED, UNFIT, HERE)]
    return [exact, found[0] - exact, *found[1:], *noes]


def by_interface(result: Verdicts, marks: Marks) -> list[str]:
    """Tables of scenarios by interface, of each property as many as are needed to stay narrow."""
    return [table for one in properties([result]) for table in _by_interface(result, one, marks)]


def _by_interface(result: Verdicts, about: str, marks: Marks) -> list[str]:
    names = [name for name in columns([result]) if prop(name) == about]
    scenarios = [s for s in every([result]) if any(_asked(result, s, name) for name in names)]
    texts = {name: {s: text(result.cells.get((s, name)), marks) for s in scenarios} for name in names}
    widths = [max(map(len, [*texts[name].values(), *split(name)])) for name in names]
    title = f"Pages reported against pages {DONE[about]}; {tables.where(pd.DataFrame([result.host]))}"
    parts = []
    for cut in fitting(widths, _left(scenarios), len(BAR)) if names else ():
        some = names[cut]
        heads = list(zip(("", "scenario"), *map(split, some), strict=True))
        rows = {s: [texts[name][s] for name in some] for s in scenarios}
        parts.append(f"{paragraph(title)}\n\n{grid(heads, _body(rows), bar=BAR)}")
    return parts


def _asked(result: Verdicts, scenario: str, name: str) -> bool:
    """Whether the scenario was played with it, or should have been."""
    return (scenario, name) in result.cells or catalogue.suits(scenario, name)


def by_kernel(results: Sequence[Verdicts], marks: Marks) -> list[str]:
    """Return a table for each interface: scenarios by kernel, those exact everywhere in one line."""
    titles = headings(results)
    parts = []
    for name in columns(results):
        scenarios = [s for s in every(results) if any(_asked(one, s, name) for one in results)]
        able = [i for i, result in enumerate(results) if result.able(name)]
        texts = [{s: text(results[i].cells.get((s, name)), marks) for s in scenarios} for i in able]
        heads = [[titles[i], origin.distribution(results[i].host), machine(results[i].host)] for i in able]
        widths = [max(map(len, [*some.values(), *head])) for some, head in zip(texts, heads, strict=True)]
        title = paragraph(f"{name}: pages reported against pages {DONE[prop(name)]}, by kernel")
        for cut in fitting(widths, _left(scenarios), len(BAR)):
            rows = {s: [some[s] for some in texts[cut]] for s in scenarios}
            exact = [s for s, row in rows.items() if set(row) == {EXACT}]
            lines = list(zip(("scenario", "", ""), *heads[cut], strict=True))
            table = grid([line for line in lines if any(line)], _body(rows, leave=exact), bar=BAR)
            rest = paragraph(f"Exact on each: {', '.join(exact) or 'none'}.", hang="  ")
            parts.append(f"{title}\n\n{table}\n{rest}")
    return parts


def paths(results: Sequence[Verdicts], marks: Marks) -> str:
    """Where the paths of an interface differ: a line for each scenario and kernel; a sentence where they do not."""
    names = [name for name in dict.fromkeys(n for one in results for n in one.interfaces) if _both(results, name)]
    parts = []
    for first in dict.fromkeys(map(parent, names)):
        others = [name for name in names if parent(name) == first]
        places = {name: differing(results, name) for name in others}
        same = [name for name in others if not places[name]]
        if same:
            parts.append(paragraph(f"{' and '.join(same)}: as {first} in every scenario.", hang="  "))
        others = [name for name in others if places[name]]
        if others:
            where = {(one.name, scenario) for some in places.values() for one, scenario in some}
            parts.append(_paths(results, [first, *others], where, marks))
    return "\n\n".join(parts)


def _both(results: Iterable[Verdicts], name: str) -> bool:
    """Whether a path was played beside what it is a path of."""
    return any(result.able(name) and result.able(parent(name)) for result in results)


def _paths(results: Sequence[Verdicts], names: list[str], where: set[tuple[str, str]], marks: Marks) -> str:
    rows = []
    for scenario in every(results):
        for result, title in zip(results, headings(results), strict=True):
            if (result.name, scenario) in where:
                cells = [text(result.cells.get((scenario, name)), marks) for name in names]
                rows.append([scenario, *([title] if len(results) > 1 else []), *cells])
    firsts = [["", "scenario"], *([["", "kernel"]] if len(results) > 1 else [])]
    heads = list(zip(*firsts, *map(split, names), strict=True))
    title = f"Where the paths of {names[0]} differ: the same question, asked so that the kernel takes another way"
    return f"{paragraph(title)}\n\n{grid(heads, rows, left=len(firsts), bar=BAR)}"


def _left(scenarios: Iterable[str]) -> int:
    return max(2 + len(name) for name in scenarios)


def _body(rows: Mapping[str, list[str]], leave: Iterable[str] = ()) -> list[list[str]]:
    """Lines of a table below their themes."""
    body: list[list[str]] = []
    for theme, some in themed(name for name in rows if name not in set(leave)).items():
        body.append([theme])
        body += [[f"  {name}", *rows[name]] for name in some]
    return body


def text(cell: Cell | None, marks: Marks) -> str:
    """A verdict in a table, with the letter of its reason where it has one."""
    if cell is None:
        return ""
    return cell.text() + (f":{marks[cell.why]}" if cell.why in marks else "")


def noted(cell: Cell) -> bool:
    """Whether the reason of a verdict has a letter in tables: what the guest did not survive is said in full above."""
    return bool(cell.plays and cell.why) and (cell.kind == NOT_POSSIBLE or cell.breaks)


def split(name: str) -> tuple[str, str]:
    """Split an interface's name over two lines, so that neither is long: scan- and softdirty."""
    cuts = [cut for cut in (name.rfind("-") + 1, name.find("_") + 1) if cut]
    return min(((name[:cut], name[cut:]) for cut in cuts), key=lambda two: max(map(len, two)), default=("", name))
