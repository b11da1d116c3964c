# SPDX-License-Identifier: GPL-2.0-only
"""The reports of results: pages of text for a mail, and the files and plots beside the data."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from bench import place
from bench.errors import PermissionDenied
from bench.files import replacing
from bench.report import (
    bystanders,
    comparisons,
    counts,
    events,
    exports,
    functions,
    meaning,
    origin,
    questions,
    sentences,
    tables,
    verdict_changes,
    verdict_reasons,
    verdict_tables,
)
from bench.report.layout import paragraph
from bench.report.numbers import many
from bench.stats import choice, comparison
from bench.stats.comparison import Side
from bench.stats.ledger import Change
from bench.store import bystanders as stored_bystanders
from bench.store import events as stored_events
from bench.store import frames, ledger, log
from bench.store.events import Events
from bench.store.ledger import Ledger
from bench.store.verdicts import Verdicts

# Draws every plot of a kind of frame: names, why others were not drawn, files by name. Plots are made of what is said
# here, so this room does not know them: plots/drawing.py's every() is handed in.
Draw = Callable[[pd.DataFrame, str], tuple[list[str], list[str], dict[str, bytes]]]


class Document(NamedTuple):
    """A result as it is reported: rows of frames.intervals(), the file of its data, which plots are drawn.

    counts: what was counted beside the values where instructions were; events: where times were taken.
    """

    result: frames.Result
    rows: pd.DataFrame
    data: str = log.FILE
    drawn: Sequence[str] = ()
    omitted: Sequence[str] = ()
    counts: Ledger | None = None
    events: Events | None = None


def read(folder: Path) -> Document:
    """Read the result in a folder without drawing. Raises BadInput for a result that can't be read."""
    result, path = frames.load(folder), log.find(folder)
    rows, seen = frames.intervals(result.frame), stored_events.load(folder) if result.more_counts else None
    counted = ledger.load(folder) if result.more_counts and not seen else None
    return Document(result, rows, path.name if path else "suite.json", counts=counted, events=seen)


def write(folder: Path, draw: Draw) -> Document:
    """Read the result in a folder and write report.txt, and each plot as PNG and SVG, beside it.

    Raises BadInput for a result that can't be read, PermissionDenied where the folder can't be written.
    """
    made = read(folder)
    drawn, omitted = draw_into(draw, made.rows, folder, "intervals")
    stood_by = (made.result.frame["bystanders"] != "").any()  # else the log need not be read again
    if stood_by and (waits := stored_bystanders.load(folder)) is not None:
        more = draw_into(draw, waits, folder, "bystanders")
        drawn, omitted = [*drawn, *more[0]], [*omitted, *more[1]]
    made = made._replace(drawn=drawn, omitted=omitted)
    write_file(folder / "report.txt", page(made).encode())
    return made


def page(made: Document) -> str:
    """One page of text for a mail: finding, doubts, what was measured, the tables that matter, how to repeat it."""
    phases = pd.concat([choice.empty(made.rows), choice.headline(choice.breakdown(made.rows))]).drop_duplicates()
    tail = [*_files(made), *origin.repeat(made.result.host)]
    own = questions.answers(str(made.result.host.get("suite", "")), made.rows)
    waits = bystanders.table(made.result.frame)
    parts = [*_opening(made), _headline(made.rows), *own, waits, tables.phases(phases)]
    return joined([*parts, origin.machine(made.result.host, origin.SHORT), tail])


def everything(made: Document) -> str:
    """All there is as text: every table, every case, the whole machine."""
    rows = made.rows
    first = choice.foremost(rows).iloc[0]
    dirty = f"{first['dirty_percent']:g}% dirty" if first["dirty_percent"] else ""
    own = questions.answers(str(made.result.host.get("suite", "")), rows)
    parts: list[str | list[str]] = [*_opening(made), _headline(rows), *own, bystanders.table(made.result.frame)]
    for some, vary, share in (
        (choice.fractions(rows), "dirty_percent", str(first["workload"])),
        (choice.patterns(rows), "workload", dirty),
    ):
        if some[vary].nunique() > 1 and vary != choice.axis(rows):
            size = many(some["pages"].iloc[0], "page")
            parts.append(tables.against(some, vary, ", ".join(filter(None, [share, size]))))
    phases = pd.concat([choice.empty(rows), choice.breakdown(rows)]).drop_duplicates()
    parts += [tables.phases(phases), counts.table(made.counts, rows) if made.counts else "", tables.every(rows)]
    parts.append(events.text(made.events, rows, made.result.host) if made.events else "")
    parts.append(origin.machine(made.result.host, origin.ALL))
    return joined([*parts, [*_files(made), *origin.repeat(made.result.host)]])


def short(made: Document) -> str:
    """What goes into a cover letter of one result: its headline."""
    machine = origin.machine(made.result.host, origin.SHORT - {"mitigations", "config"})
    return joined([*_opening(made), _headline(made.rows), machine, origin.repeat(made.result.host)])


def compared(
    made: comparison.Comparison, folder: Path, draw: Draw, by_function: Sequence[Change] | None = None, **options: str
) -> None:
    """Write compare.txt, compare.csv and the plots of a comparison into folder, and what there is by function.

    by_function: of functions.accounted(); None where the results hold no exact counts. Raises PermissionDenied.
    """
    drawn, _ = draw_into(draw, comparisons.drawn(made), folder, "comparison")
    text, data = comparisons.text(made, **options), "Every case: compare.csv"
    if by_function is not None:
        text += f"\n\n{functions.change_text(by_function)}"
        data += ", by function: functions.csv and functions.html"
        drawn += (
            draw_into(draw, functions.drawn(by_function, made.sides), folder, "functions")[0] if by_function else []
        )
        write_file(folder / "functions.csv", functions.change_csv(by_function).encode())
        write_file(folder / "functions.html", ledger_page(by_function, made.sides, draw).encode())
    files = paragraph(f"Plots, as .png and .svg: {', '.join(drawn)}. {data}", hang="  ")
    write_file(folder / "compare.txt", f"{text}\n\n{files}\n".encode())
    write_file(folder / "compare.csv", exports.comparison_csv(made).encode())


def ledger_page(made: Sequence[Change], sides: Sequence[Side], draw: Draw) -> str:
    """The function ledger of a comparison as one HTML file with its plot."""
    from bench.report import html  # noqa: PLC0415  (jinja2: only for this)

    names, _, files = draw(functions.drawn(made, sides), "functions") if made else ([], [], {})
    figures = {name: files[f"{name}.svg"].decode() for name in names}
    sections = functions.change_sections(made)
    return html.ledger(functions.change_title(made, sides), sections, functions.change_notes(made), figures)


def meant(found: Sequence[Verdicts], *, everything: bool = False, into: tuple[Path, Draw] | None = None) -> str:
    """Return the report of results of the suite meaning; write it and the plot into a folder, where one is given."""
    return _meant(found, everything=everything, into=into)[0]


def _meant(
    found: Sequence[Verdicts], *, everything: bool = False, into: tuple[Path, Draw] | None = None
) -> tuple[str, list[str]]:
    """The report, and which plots were drawn."""
    drawn, omitted = draw_into(into[1], meaning.frame(found), into[0], "meaning") if into else ([], [])
    found = verdict_tables.ordered(found)
    parts: list[str | list[str]] = list(meaning.page(found))
    folders = f"Every verdict and the machine record: {', '.join(place.kept(one.name) for one in found)}"
    repeat = [line for one in found for line in origin.repeat(one.host)]
    tail = [*_plots(drawn, omitted), paragraph(folders, hang="  "), *dict.fromkeys(repeat)]
    machine = verdict_machines(found)
    if into:
        write_file(into[0] / "report.txt", joined([*parts, machine, tail]).encode())
    contracts = [verdict_reasons.contracts(found)] if everything else []
    return joined([*parts, *contracts, machine, tail]), list(drawn)


def meant_html(found: Sequence[Verdicts], folder: Path, draw: Draw) -> Path:
    """Write report.html of results of the suite meaning, everything in one file, with report.txt; return its path."""
    from bench.report import verdict_page  # noqa: PLC0415  (jinja2: only for this)

    _, drawn = _meant(found, into=(folder, draw))
    figures = {name: (folder / f"{name}.svg").read_text(encoding="utf-8") for name in drawn}
    repeat = [line for one in found for line in origin.repeat(one.host)]
    machines = joined([verdict_machines(found), list(dict.fromkeys(repeat))])
    path = folder / "report.html"
    write_file(path, verdict_page.page(found, machines, figures).encode())
    return path


def changed(found: Sequence[Verdicts], folder: Path) -> None:
    """Write compare.txt, compare.csv and compare.html of results of the suite meaning. Raises PermissionDenied."""
    write_file(folder / "compare.txt", f"{verdict_changes.text(found)}\n".encode())
    write_file(folder / "compare.csv", verdict_changes.frame(found).to_csv(index=False).encode())
    write_file(folder / "compare.html", verdict_changes.as_html(found).encode())


def meant_short(found: Sequence[Verdicts]) -> str:
    """What goes into a cover letter: of several results what changed, of one how many scenarios ended how."""
    if len(found) > 1:
        parts: list[str | list[str]] = [verdict_changes.text(found, whole=False)]
    else:
        parts = [meaning.first(found), verdict_tables.outcomes(found), meaning.measured(found)]
    names = [one.name for one in found] if len(found) > 1 else []
    repeat = origin.repeat(*(one.host for one in found), names=names)
    return joined([*parts, verdict_machines(found), repeat])


def verdict_machines(found: Sequence[Verdicts]) -> list[str]:
    """What the verdicts of one or more kernels were found on."""
    labels = origin.SHORT - {"config", "mitigations"}
    if len(found) == 1:
        return origin.machine(found[0].host, labels)
    hosts = {title: one.host for title, one in zip(verdict_tables.headings(found), found, strict=True)}
    return origin.machines(hosts, labels - {"version", "RAM, MiB"})  # which the kernel's own size changes


def as_html(folder: Path, draw: Draw) -> Path:
    """Write report.html, everything in one file, beside the report; return its path."""
    from bench.report import html  # noqa: PLC0415  (jinja2: only for this)

    made = write(folder, draw)
    rows, result = made.rows, made.result
    lines = [*sentences.fallen(result.fallen), *sentences.wrong(rows, result)]
    wrong = ["\n".join(lines)] if lines else []
    summary = [*wrong, sentences.finding(rows, result), *sentences.doubtful(rows)]
    summary += [*sentences.measured(rows, result), *_counted(made), *sentences.not_measured(result)]
    figures = {name: (folder / f"{name}.svg").read_text(encoding="utf-8") for name in made.drawn}
    path = folder / "report.html"
    write_file(path, html.page(result.name, summary, rows, result.host, figures, _stored(made)).encode())
    return path


def _opening(made: Document) -> list[str | list[str]]:
    """The first paragraphs: which boots fell, what was wrong, the finding, doubts, what was measured."""
    wrong = [*sentences.fallen(made.result.fallen), *sentences.wrong(made.rows, made.result)]
    head = ["\n".join(paragraph(line, hang="  ") for line in wrong)] if wrong else []
    measured = [
        *sentences.measured(made.rows, made.result),
        *sentences.cut(made.rows),
        *sentences.not_measured(made.result),
    ]
    finding = paragraph(sentences.finding(made.rows, made.result))
    doubtful = [*sentences.machines(made.rows), *sentences.doubtful(made.rows)]
    doubts = [paragraph(line, hang="  ") for line in doubtful]
    counted = [paragraph(line, hang="  ") for line in _counted(made)]
    return [*head, finding, doubts, list(map(paragraph, measured)), counted]


def _counted(made: Document) -> list[str]:
    """What exact counts say of boots and of foreign work."""
    return [*counts.boots(made.counts, made.rows), *counts.foreign(made.counts)] if made.counts else []


def _headline(rows: pd.DataFrame) -> str:
    top = choice.sweep(rows)
    return tables.against(top, choice.axis(rows), tables.shared(top))


def _plots(drawn: Sequence[str], omitted: Sequence[str]) -> list[str]:
    """Which plots there are, and why others are not."""
    lines = [f"Plots, as .png and .svg: {', '.join(drawn)}"] if drawn else []
    return [paragraph(line, hang="  ") for line in (*lines, *(f"Not drawn: {why}" for why in omitted))]


def _files(made: Document) -> list[str]:
    """Where plots and data are."""
    data = f"Every value and the whole machine record: {_stored(made)}"
    return [*_plots(made.drawn, made.omitted), paragraph(data, hang="  ")]


def _stored(made: Document) -> str:
    return f"{place.kept(made.result.name)}/{made.data}"


def joined(parts: Iterable[str | list[str]]) -> str:
    """Paragraphs with blank lines between; the lines of a list stay together."""
    texts = ["\n".join(part) if isinstance(part, list) else part for part in parts]
    return "\n\n".join(filter(None, texts)) + "\n"


def draw_into(draw: Draw, frame: pd.DataFrame, folder: Path, kind: str) -> tuple[list[str], list[str]]:
    """Write every plot of that kind of frame; return the names drawn, and why others were not."""
    names, omitted, files = draw(frame, kind)
    for name, data in files.items():
        write_file(folder / name, data)
    return names, omitted


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises PermissionDenied."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(data)
    except OSError as error:
        raise PermissionDenied(
            f"{path} can't be written: {error.strerror}", "give a folder you may write to, or copy the result to one"
        ) from None
