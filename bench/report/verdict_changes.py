# SPDX-License-Identifier: GPL-2.0-only
"""What changed from one result of the suite meaning to others, as text: at most what a maintainer reads in a minute."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence

import pandas as pd

from bench.plan import catalogue
from bench.plan.interfaces import INTERFACES
from bench.report import changes, meaning, verdict_reasons, verdict_tables
from bench.report.functions import Section
from bench.report.layout import grid, note, paragraph
from bench.report.numbers import many
from bench.report.verdict_tables import BAR
from bench.stats import comparison, verdict_changes
from bench.stats.verdict_changes import WITHIN, Change, Changes
from bench.store.verdicts import BETTER, WORSE, Verdicts

_TITLES = {WORSE: "for the worse", BETTER: "for the better", WITHIN: "within what is documented"}
SCHEMA = "pagemap-bench verdict comparison 1"
_NAMES = 20  # characters of interfaces in a column
_MOST = 5  # names of what only one result has
_LINES = 20  # changes that a cover letter has room for, the worse ones first
_LEGEND = (
    "+N: N pages reported that nobody {did}, -N: N missed; in parentheses: as documented; breaks: a call of the "
    "tracked program fails; ~: not every time; refused: with an error"
)


def legend(results: Iterable[Verdicts]) -> str:
    """What verdicts mean in tables of changes."""
    return _LEGEND.format(did=" or ".join(verdict_tables.DONE[one] for one in verdict_tables.properties(results)))


class Row:
    """A change as it is listed: interfaces of which a scenario changed alike, together."""

    def __init__(self, first: Change) -> None:
        self.scenario, self.base, self.new, self.way = first.scenario, first.base.text(), first.new.text(), first.way
        self.interfaces: list[str] = []

    @property
    def names(self) -> str:
        """The interfaces, an interface and all its paths as one."""
        left, said = list(self.interfaces), []
        while left:
            name = left.pop(0)
            own = [one for one in left if verdict_tables.parent(one) == name]
            left = [one for one in left if one not in own]
            said.append(f"{name} ({1 + len(own)} paths)" if own else name)
        return ", ".join(said)


def made(results: Sequence[Verdicts]) -> list[Changes]:
    """Compare each result with the first."""
    return [verdict_changes.compare(results[0], one) for one in results[1:]]


def gravity(one: Change) -> tuple[bool, int]:
    """How much a change matters to who is told of one of them."""
    return one.way == WORSE, verdict_changes.grade(one.new)


def rows(one: Changes, way: str) -> list[Row]:
    """Changes of one way as they are listed: scenarios by theme, interfaces that changed alike together."""
    found: dict[tuple[str, str, str], Row] = {}
    order = verdict_tables.every([one.base, one.new])
    names = list(INTERFACES)
    listed = sorted(
        one.of(way), key=lambda c: (order.index(c.scenario), names.index(c.interface) if c.interface in names else 99)
    )
    for change in listed:
        key = change.scenario, change.base.text(), change.new.text()
        found.setdefault(key, Row(change)).interfaces.append(change.interface)
    return list(found.values())


def text(results: Sequence[Verdicts], *, whole: bool = True) -> str:
    """Return the comparison for a mail: what changed, which way, what it is, and what else differs.

    whole: every change, with what explains it; else what a cover letter has room for.
    """
    parts = [meaning.first(results, _keys(results))]
    for one in made(results):
        every = [row for way in verdict_changes.WAYS for row in rows(one, way)]
        listed = every if whole else every[:_LINES]
        parts += [_verdict(one), *_warnings(one), _table(one, listed)]
        if left := len(every) - len(listed):
            parts.append(paragraph(f"And {left} more: ./bench.py compare BASE NEW"))
        parts.append(_stories(listed, whole=whole))
    parts.append(meaning.measured(results))
    return "\n\n".join(filter(None, parts))


def _keys(results: Sequence[Verdicts]) -> set[tuple[str, str]]:
    """Scenarios and interfaces whose verdict changed: a crash that both know is no news."""
    return {(change.scenario, change.interface) for one in made(results) for change in one.changed}


def titles(one: Changes) -> tuple[str, str]:
    """What the two are called."""
    base, new = verdict_tables.headings([one.base, one.new])
    return base, new


def verdict(one: Changes) -> str:
    """The main result: how many verdicts changed, and which way."""
    base, new = titles(one)
    if not one.common:
        return f"{base} and {new} have no verdict in common."
    ways = [f"{count} {_TITLES[way]}" for way in verdict_changes.WAYS if (count := len(one.of(way)))]
    if not ways:
        return f"From {base} to {new} none of {many(one.common, 'verdict')} changed."
    return f"From {base} to {new} {len(one.changed)} of {many(one.common, 'verdict')} changed: {', '.join(ways)}."


def _verdict(one: Changes) -> str:
    return paragraph(verdict(one))


def warnings(one: Changes) -> list[str]:
    """What else differs, and what only one of them has."""
    base, new = titles(one)
    found = changes.surroundings((base, new), comparison.surroundings(one.base.host, one.new.host))
    for title, keys in ((base, one.gone), (new, one.added)):
        if keys:
            together: dict[str, list[str]] = {}
            for scenario, name in keys:
                together.setdefault(name, []).append(scenario)
            named = [f"{name} ({_some(some)})" for name, some in together.items()]
            found.append(f"Only {title} has {many(len(keys), 'verdict')}: {_some(named)}.")
    return found


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def _warnings(one: Changes) -> list[str]:
    return ["\n".join(paragraph(line, hang="  ") for line in warnings(one))]


def _table(one: Changes, listed: Sequence[Row]) -> str:
    body: list[list[str]] = []
    above = ""
    for row in listed:
        body += [[_TITLES[row.way]]] if row.way != above else []
        above = row.way
        names = textwrap.wrap(row.names, _NAMES, break_on_hyphens=False)
        body.append([f"  {row.scenario}", names[0], row.base, row.new])
        body += [["", more, "", ""] for more in names[1:]]
    if not body:
        return ""
    table = grid([["scenario", "interface", *titles(one)]], body, left=2, bar=BAR)
    return f"{table}\n{note(legend([one.base, one.new]))}"


def _stories(listed: Sequence[Row], *, whole: bool) -> str:
    """What happens in the scenarios that changed, and where it is known, why the graver verdict is what it is."""
    lines, told = [], set[str]()
    for row in listed:
        if row.scenario not in told:
            told.add(row.scenario)
            lines.append(f"{row.scenario}: {catalogue.summary(row.scenario) or 'a scenario of another version.'}")
        why = story(row)
        if whole and why and why not in told:
            told.add(why)
            lines.append(f"  {why}")
    return "\n".join(paragraph(line, hang="    " if line.startswith(" ") else "  ") for line in lines)


def story(row: Row) -> str:
    """What explains the graver verdict of a change; empty where nothing does."""
    return next(filter(None, (verdict_reasons.explanation(row.scenario, name) for name in row.interfaces)), "")


def frame(results: Sequence[Verdicts]) -> pd.DataFrame:
    """Return a row per verdict that both have and new result: before, after, pages, and which way it went."""
    columns = ["base_name", "new_name", "base_kernel", "new_kernel", "scenario", "interface", "way", "base", "new"]
    columns += [f"{side}_{what}_pages" for side in ("base", "new") for what in ("extra", "missed")] + ["explanation"]
    lines = [
        [
            *(one.base.name, one.new.name, *titles(one), change.scenario, change.interface, change.way),
            *(side.text() for side in (change.base, change.new)),
            *(count for side in (change.base, change.new) for count in (side.extra, side.missed)),
            verdict_reasons.explanation(change.scenario, change.interface),
        ]
        for one in made(results)
        for change in one.changed
    ]
    return pd.DataFrame(lines, columns=columns)


def as_json(results: Sequence[Verdicts]) -> str:
    """Everything a program could ask: verdicts, warnings, what changed, what only one of them has."""
    found = [
        {"verdict": verdict(one), "warnings": warnings(one), "base": one.base.name, "new": one.new.name}
        | {"common": one.common, "gone": one.gone, "added": one.added}
        for one in made(results)
    ]
    changed = json.loads(frame(results).to_json(orient="records"))
    return json.dumps({"schema": SCHEMA, "results": found, "changes": changed}, indent=1, allow_nan=False)


def as_html(results: Sequence[Verdicts]) -> str:
    """The same as one page that loads nothing."""
    from bench.report import html  # noqa: PLC0415  (jinja2: only for this)

    sections = []
    for one in made(results):
        for way in verdict_changes.WAYS:
            body = [
                [row.scenario, row.names, row.base, row.new, catalogue.summary(row.scenario), story(row)]
                for row in rows(one, way)
            ]
            if body:
                heads = ["scenario", "interface", *titles(one), "what happens", "why"]
                title = f"{' to '.join(titles(one))}: {_TITLES[way]}"
                sections.append(Section(title, heads, body, [], words=(0, 1, 4, 5), total=False))
    said = [line for one in made(results) for line in (verdict(one), *warnings(one))]
    first, notes = meaning.first_lines(results, _keys(results)), [legend(results), *meaning.measured_lines(results)]
    return html.ledger([*said, *first], sections, notes)


def markdown(results: Sequence[Verdicts]) -> str:
    """The same for a forge: a table for each new result."""
    parts = []
    for one in made(results):
        base, new = titles(one)
        lines = [f"| scenario | interface | {base} | {new} | |", "| --- | --- | ---: | ---: | --- |"]
        lines += [
            f"| {row.scenario} | {row.names} | {_plain(row.base)} | {_plain(row.new)} | {_TITLES[way]} |"
            for way in verdict_changes.WAYS
            for row in rows(one, way)
        ]
        parts += [verdict(one), *warnings(one), "\n".join(lines) if one.changed else ""]
    return "\n\n".join(filter(None, [*parts, legend(results)]))


def _plain(cell: str) -> str:
    """A tilde that Markdown would strike out with."""
    return cell.replace("~", "\\~")
