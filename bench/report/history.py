# SPDX-License-Identifier: GPL-2.0-only
"""The page of all kernels: what got dearer, cheaper, wrong, right, and between which two releases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from bench.errors import BadInput
from bench.report import fixes, functions, numbers, pages, tables, verdict_changes
from bench.report.layout import grid, note, paragraph
from bench.report.numbers import many
from bench.stats import history
from bench.stats.history import Release, Step, Turn
from bench.stats.ledger import Change
from bench.store.verdicts import BETTER, WORSE

LARGEST = 5  # steps of each way that the text explains
FUNCTIONS = 3  # of a step in a line
_LINES = 30  # of the text, for verdicts of each way
_NAMES = 6  # scenarios that a known change is about
WAYS = {WORSE: "for the worse", BETTER: "for the better"}


class Group(NamedTuple):
    """Forms whose phase stepped alike between two releases."""

    base: str
    new: str
    changes: list[Change]

    @property
    def first(self) -> Change:
        """The one that stands for all."""
        return self.changes[0]

    @property
    def ratio(self) -> float:
        """What the phase executes now, of what it did."""
        return self.first.new.total / self.first.base.total

    @property
    def size(self) -> float:
        """How large it is, whichever way."""
        return max(self.ratio, 1 / self.ratio)

    @property
    def forms(self) -> list[str]:
        """The forms, each once: on several kinds of memory it may have stepped alike."""
        return list(dict.fromkeys(one.base.case.form for one in self.changes))


class History(NamedTuple):
    """All there is to tell: kernels, steps in groups, the largest first, and changed verdicts."""

    releases: list[Release]
    groups: list[Group]
    turns: list[Turn]


def read(top: Path) -> History:
    """Read and compare all kernels below a folder. Raises BadInput where nothing was measured."""
    releases = history.load(top)
    if not releases:
        raise BadInput(f"nothing is measured in {top} yet", "./bench.py history --limit 1 measures one kernel")
    return History(releases, grouped(history.steps(releases)), history.turns(releases))


def grouped(steps: Iterable[Step]) -> list[Group]:
    """Bring forms together that stepped alike between two releases; the largest steps first."""
    pairs: dict[tuple[str, str], list[Change]] = {}
    for one in steps:
        pairs.setdefault((one.base, one.new), []).append(one.change)
    found = [Group(*pair, some) for pair, every in pairs.items() for some in functions.grouped(every)]
    return sorted(found, key=lambda one: -one.size)


def where(made: History, *, played: bool = False) -> str:
    """Which kernels, and where they ran: where instructions were counted, or scenarios played."""
    hosts = [one.verdicts.host for one in made.releases if one.verdicts]
    counted = [one.host for one in made.releases if one.accounts]
    some = [*hosts, *counted] if played else [*counted, *hosts]
    host = next(iter(some), made.releases[0].host)  # of kernels of which nothing is told
    first, last = made.releases[0].version, made.releases[-1].version
    known = pd.DataFrame([{"where": host.get("where", "unknown machine"), "kernel_release": f"{first} to {last}"}])
    return f"{tables.where(known)}, {many(len(made.releases), 'kernel')}, {host.get('cpu_model_name', 'unknown CPU')}"


def heading(made: History) -> str:
    """What the page is about."""
    first, last = made.releases[0].version, made.releases[-1].version
    return f"What Debian's kernels {first} to {last} do to page tracking, release by release"


def summary(made: History) -> list[str]:
    """The main result, and what was measured."""
    dearer, cheaper = ([one for one in made.groups if (one.ratio > 1) is up] for up in (True, False))
    counted, played = (
        sum(bool(one) for one in some)
        for some in ([r.accounts for r in made.releases], [r.verdicts for r in made.releases])
    )
    steps = f"{many(len(dearer), 'phase')} got dearer and {len(cheaper)} cheaper by 1 % or more" if counted > 1 else ""
    ways = {way: sum(len(turn.changes.of(way)) for turn in made.turns) for way in WAYS}
    turned = f"{many(ways[WORSE], 'verdict')} turned worse and {ways[BETTER]} better" if played > 1 else ""
    lines = [f"{'; '.join(filter(None, [steps, turned]))}."] if steps or turned else []
    return [*lines, *wrong(made), f"{where(made)}; {counted} counted, {played} played."]


def wrong(made: History) -> list[str]:
    """Where pages were wrong while instructions were counted, on which kernels."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in made.releases:
        for case, (extra, missed) in one.wrong.items():
            ways = " and ".join(["extra"] * bool(extra) + ["missed"] * bool(missed))
            found.setdefault((case.form, case.kind, ways), []).append(one.version)
    every = [one.version for one in made.releases if one.accounts]
    return [
        f"Wrong pages while counting: {form} on {kind}, {ways}: {spans(some, every)}."
        for (form, kind, ways), some in found.items()
    ]


def text(made: History) -> str:
    """The page as text for a mail."""
    parts: list[str | list[str]] = [[paragraph(heading(made)), *(paragraph(one) for one in summary(made))]]
    for title, up in (("Dearer, the largest first:", True), ("Cheaper, the largest first:", False)):
        some = [one for one in made.groups if (one.ratio > 1) is up]
        parts.append([paragraph(title), *(line for one in some[:LARGEST] for line in _told(one))] if some else "")
    parts += [_by_release(made), *_verdicts(made), _abilities(made), *map(note, notes(made))]
    return pages.joined([part for part in parts if part])


def _told(one: Group) -> list[str]:
    """A step in a few lines: what, by how much, which functions, and which known change it coincides with."""
    lines = [paragraph(f"{one.base} to {one.new}: {named(one)}", hang="  ")]
    lines.append(paragraph(f"  by {by(one)}", hang="    "))
    return lines + [paragraph(f"  coincides: {fix}", hang="    ") for fix in coinciding(one)]


def ends(one: Group) -> list[str]:
    """Instructions per page, before and after."""
    return [numbers.three(some.total / some.pages) for some in (one.first.base, one.first.new)]


def named(one: Group) -> str:
    """What stepped, and by how much: collect of scan-wp +51.2%, 24.7 to 37.4 instructions a page ..."""
    base, (before, after) = one.first.base, ends(one)
    what = f"{base.phase} of {', '.join(one.forms)} {numbers.percent(one.ratio)}"
    return f"{what}, {before} to {after} instructions per {base.per} ({functions.point(base.case)})"


def by(one: Group, most: int = FUNCTIONS) -> str:
    """The functions that made a step, those that changed most first."""
    some = one.first.functions.head(most)
    parts = [
        f"{name}{f' ({how})' if how else ''} {functions.signed_count(change)}"
        for name, change, how in zip(some["function"], some["change"], some["how"], strict=True)
    ]
    if one.first.user and abs(one.first.user) > abs(one.first.total) / 2:
        parts.insert(0, f"user space {functions.signed_count(one.first.user)}")
    rest = len(one.first.functions) - len(some)
    return ", ".join(parts) + (f" and {many(rest, 'other')}" if rest > 0 else "")


def coinciding(one: Group) -> list[str]:
    """Known changes of the kernel between the two releases in what stepped."""
    names = one.first.functions["function"].head(FUNCTIONS)
    return [known(fix, one.new) for fix in fixes.of_functions(one.base, one.new, names)]


def known(fix: fixes.Fix, new: str) -> str:
    """A known change that is one of the differences from a release before to `new`."""
    return f"{new} {'has' if fix.has(new) else 'lacks'} this: {fix.words} ({fix.source})"


def counts(made: History) -> list[list[str]]:
    """A row for each two releases between which something changed: dearer, cheaper, worse, better."""
    found: dict[tuple[str, str], list[int]] = {}
    for group in made.groups:
        found.setdefault((group.base, group.new), [0] * 4)[0 if group.ratio > 1 else 1] += 1
    for turn in made.turns:
        row = found.setdefault((turn.base, turn.new), [0] * 4)
        row[2:] = [len(turn.changes.of(way)) for way in WAYS]
    order = {one.version: i for i, one in enumerate(made.releases)}
    rows = sorted(found.items(), key=lambda one: order[one[0][1]])
    return [[f"{base} to {new}", *(str(n or "") for n in row)] for (base, new), row in rows if any(row)]


COUNTED = ["between", "dearer", "cheaper", "worse", "better"]


def _by_release(made: History) -> str:
    rows = counts(made)
    title = "How many phases and verdicts changed between two releases"
    return f"{paragraph(title)}\n\n{grid([COUNTED], rows, bar='  ')}" if rows else ""


def _verdicts(made: History) -> list[str]:
    """The verdicts that changed, worse and better, and which known changes of the kernel coincide."""
    tables_of = [table for way in WAYS if (table := _turns_of(made, way))]
    known = [one.verdicts for one in made.releases if one.verdicts]
    legend = [note(verdict_changes.legend(known))] if tables_of else []
    return [one for one in (*tables_of, *legend, _coincidences(made)) if one]


def _turns_of(made: History, way: str) -> str:
    body: list[list[str]] = []
    left = 0
    for turn in made.turns:
        rows = verdict_changes.rows(turn.changes, way)
        room = max(0, _LINES - len(body) - 1)
        body += [[f"{turn.base} to {turn.new}"]] if rows and room else []
        body += [[f"  {row.scenario}", shortened(row.names), row.base, row.new] for row in rows[:room]]
        left += len(rows[room:])
    if not body:
        return ""
    table = grid([["scenario", "interface", "before", "after"]], body, left=2, bar="  ")
    more = [paragraph(f"And {left} more: report.html")] if left else []
    return "\n".join([paragraph(f"Verdicts that changed {WAYS[way]}"), "", table, *more])


def _coincidences(made: History) -> str:
    found: dict[str, dict[str, None]] = {}
    for turn in made.turns:
        for change in turn.changes.changed:
            for fix in fixes.of_verdict(turn.base, turn.new, change.scenario):
                found.setdefault(f"{turn.base} to {turn.new}: {known(fix, turn.new)}", {})[change.scenario] = None
    lines = [f"{said}: {_some(list(scenarios))}" for said, scenarios in found.items()]
    title = "Verdicts changed where known changes of the kernel came or were not there yet:"
    return "\n".join([paragraph(title), *(paragraph(line, hang="  ") for line in lines)]) if lines else ""


def _some(names: Sequence[str]) -> str:
    """The first names, and how many more."""
    left = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {left} more" if left > 0 else "")


def shortened(names: str, most: int = 20) -> str:
    """Names of interfaces as long as there is room for them."""
    return names if len(names) <= most else f"{names[: most - 2]}.."


def _abilities(made: History) -> str:
    lines = abilities(made)
    return "\n".join(paragraph(line, hang="  ") for line in lines)


def abilities(made: History) -> list[str]:
    """Which interfaces not all kernels have, and on which they work."""
    played = [one.version for one in made.releases if one.verdicts]
    lines = []
    for name, on in history.able(made.releases).items():
        if on and on != played:
            lines.append(f"{name}: works on {spans(on, played)}.")
    return lines


def spans(some: Sequence[str], every: Sequence[str]) -> str:
    """Versions as ranges of all there are: 6.12.43 to 7.3.4."""
    runs: list[list[str]] = []
    for version in every:
        if version not in some:
            runs.append([])
        elif runs and runs[-1]:
            runs[-1].append(version)
        else:
            runs.append([version])
    return ", ".join(span(one[0], one[-1]) for one in runs if one)


def notes(made: History) -> list[str]:
    """How to read it."""
    counted = [one for one in made.releases if one.accounts]
    said = [
        "a step: a phase of a form on a kind of memory executes 1 % more or less instructions, and its values on the "
        "two kernels do not overlap. Each kernel is compared with the one before it in its series, the first of a "
        "series with the first of the series before: what a stable kernel got later is a step of that kernel"
    ]
    if luck := len(history.lucky(made.releases)):
        said.append(f"{many(luck, 'verdict')} that differed from play to play on some kernel: left out as luck")
    lacking = [one.version for one in made.releases if not one.accounts or not one.verdicts]
    said += [f"not complete: {', '.join(lacking)}; ./bench.py history goes on"] if lacking else []
    once = {str(one.host.get("suite_version")) for one in counted}
    said += [f"measured by several versions of this suite: {', '.join(sorted(once))}"] if len(once) > 1 else []
    return [*said, "to repeat, or to add new kernels: ./bench.py history"]


def span(first: str, last: str) -> str:
    """Two versions as a range: 6.12.43 to 7.3.4."""
    return first if first == last else f"{first} to {last}"
