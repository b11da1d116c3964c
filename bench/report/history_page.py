# SPDX-License-Identifier: GPL-2.0-only
"""The files about all kernels: the page of text, the same as HTML with every step and verdict, and their plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.plan import catalogue
from bench.report import fixes, functions, html, meaning, numbers, pages, verdict_changes, verdict_tables
from bench.report import history as told
from bench.report.functions import Section
from bench.report.history import Group, History
from bench.stats import history
from bench.stats.ledger import Case
from bench.stats.verdict_changes import WITHIN
from bench.store.frames import CASE

DETAILED = 12  # steps of which every function is there


def write(top: Path, draw: pages.Draw) -> str:
    """Write report.txt, report.html and the plots of all kernels below a folder; return the text.

    Raises BadInput where nothing was measured, PermissionDenied where the folder can't be written.
    """
    made = told.read(top)
    figures: dict[str, str] = {}
    for kind, frame in frames(made).items():
        for name in pages.draw_into(draw, frame, top, kind)[0] if len(frame) else ():
            figures[name] = (top / f"{name}.svg").read_text(encoding="utf-8")
    said = told.text(made)
    pages.write_file(top / "report.txt", said.encode())
    page = html.ledger([told.heading(made), *told.summary(made)], sections(made), told.notes(made), figures)
    pages.write_file(top / "report.html", page.encode())
    return said


def text(top: Path) -> str:
    """Return the page of text without writing anything. Raises BadInput where nothing was measured."""
    return told.text(told.read(top))


def frames(made: History) -> dict[str, pd.DataFrame]:
    """Return what plots draw, by the kind of frame."""
    stepped = {(one.new, change.base.case, change.base.phase) for one in made.groups for change in one.changes}
    costs = history.frame(made.releases)
    keys = costs[["version", *CASE, "phase"]].itertuples(index=False, name=None)
    costs["step"] = [int((version, Case(*case), phase) in stepped) for version, *case, phase in keys]
    costs["title"] = told.where(made)
    return {"history": costs, "verdict history": verdict_frame(made)}


def verdict_frame(made: History) -> pd.DataFrame:
    """Return a row per kernel and verdict that is not the same on all of them, luck apart."""
    known = [one.verdicts for one in made.releases if one.verdicts]
    changed = {(c.scenario, c.interface) for turn in made.turns for c in turn.changes.changed}
    if not known or not changed:
        return pd.DataFrame()
    every = meaning.frame(known)
    kept = [key in changed for key in zip(every["scenario"], every["interface"], strict=True)]
    return every[kept].assign(title=told.where(made, played=True))


def sections(made: History) -> list[Section]:
    """The tables of the HTML page."""
    found = []
    if rows := told.counts(made):
        found.append(Section("What changed between which two releases", told.COUNTED, rows, [], total=False))
    if made.groups:
        heads = ["between", "phase", "interface", "counted at", "before", "after", "change", "functions", "coincides"]
        body = [_row(one) for one in made.groups]
        title = "Every step, the largest first; instructions per page"
        found.append(Section(title, heads, body, [], words=(0, 1, 2, 3, 7, 8), total=False))
    details = [change for one in made.groups[:DETAILED] for change in functions.change_sections(one.changes)]
    return [*found, *_turned(made), *_runs(made), *details]


def _row(one: Group) -> list[str]:
    base = one.first.base
    same = [base.phase, ", ".join(one.forms), functions.point(base.case), *told.ends(one), numbers.percent(one.ratio)]
    return [f"{one.base} to {one.new}", *same, told.by(one), "; ".join(told.coinciding(one))]


def _turned(made: History) -> list[Section]:
    """Verdicts that changed, one table each way."""
    found = []
    for way, title in (*told.WAYS.items(), (WITHIN, "within what is documented")):
        body = [
            [
                f"{turn.base} to {turn.new}",
                *(row.scenario, row.names, row.base, row.new, verdict_changes.story(row)),
                "; ".join(told.known(fix, turn.new) for fix in fixes.of_verdict(turn.base, turn.new, row.scenario)),
            ]
            for turn in made.turns
            for row in verdict_changes.rows(turn.changes, way)
        ]
        heads = ["between", "scenario", "interface", "before", "after", "why", "coincides"]
        if body:
            found.append(Section(f"Verdicts that changed {title}", heads, body, [], words=(0, 1, 2, 5, 6), total=False))
    return found


def _runs(made: History) -> list[Section]:
    """Every scenario's verdicts by release, by theme."""
    known = [one.verdicts for one in made.releases if one.verdicts]
    found, names = [], verdict_tables.shown(known)
    for theme, scenarios in verdict_tables.themed(verdict_tables.every(known)).items():
        body = [line for scenario in scenarios for line in _lines(made, scenario, names)]
        heads = ["scenario", "interface", "verdicts by release", "what happens"]
        found.append(Section(f"Verdicts by release: {theme}", heads, body, [], words=(0, 1, 2, 3), total=False))
    return [one for one in found if one.body]


def _lines(made: History, scenario: str, names: Sequence[str]) -> list[list[str]]:
    """A row for each sequence of verdicts, with the interfaces that have it."""
    together: dict[str, list[str]] = {}
    for name in names:
        runs = history.runs(made.releases, scenario, name)
        verdicts = dict.fromkeys(cell.text() for cell, _, _ in runs)
        said = "; ".join(f"{cell.text()}: {told.span(first, last)}" for cell, first, last in runs)
        together.setdefault(said if len(verdicts) > 1 else "".join(verdicts), []).append(name)
    together.pop("", None)
    return [[scenario, ", ".join(some), said, catalogue.summary(scenario)] for said, some in together.items()]
