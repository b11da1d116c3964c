# SPDX-License-Identifier: GPL-2.0-only
"""The reports of results: pages of text for a mail, and the files and plots beside the data."""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from bench.errors import PermissionDenied
from bench.files import replacing
from bench.report import changes, comparisons, exports, meaning, questions, sentences, tables
from bench.report.layout import command, note, paragraph
from bench.report.numbers import many
from bench.stats import choice, comparison
from bench.store import frames, log
from bench.store.frames import CASE
from bench.store.verdicts import Verdicts

# label, fact, limit in characters: what readers of a cover letter ask for; the data have the rest
MACHINE = (
    ("CPU", "cpu_model_name", 200),
    ("CPUs", "cpu_count", 20),
    ("RAM, MiB", "memory_bytes", 20),
    ("kernel", "kernel_release", 100),
    ("version", "kernel_version", 200),
    ("config", "kernel_config", 600),
    ("image", "kernel_image", 200),
    ("command line", "cmdline", 200),
    ("mitigations", "mitigations", 300),
    ("THP setting", "thp_enabled", 20),
    ("governor", "governor", 20),
    ("disturbed by", "disturbances", 400),
    ("clock call, ns", "clock_ns", 20),
    ("system call, ns", "syscall_ns", 20),
)
SHORT = {"CPU", "CPUs", "RAM, MiB", "version", "config", "mitigations", "THP setting", "governor"}


# Draws every plot of a kind of frame: names, why others were not drawn, files by name. Plots are made of what is said
# here, so this room does not know them: plots/drawing.py's every() is handed in.
Draw = Callable[[pd.DataFrame, str], tuple[list[str], list[str], dict[str, bytes]]]


class Document(NamedTuple):
    """A result as it is reported: rows of frames.intervals(), the file of its data, which plots are drawn."""

    result: frames.Result
    rows: pd.DataFrame
    data: str = log.FILE
    drawn: Sequence[str] = ()
    omitted: Sequence[str] = ()


def read(folder: Path) -> Document:
    """Read the result in a folder without drawing. Raises BadInput for a result that can't be read."""
    result, path = frames.load(folder), log.find(folder)
    return Document(result, frames.intervals(result.frame), path.name if path else "suite.json")


def write(folder: Path, draw: Draw) -> Document:
    """Read the result in a folder and write report.txt, and each plot as PNG and SVG, beside it.

    Raises BadInput for a result that can't be read, PermissionDenied where the folder can't be written.
    """
    made = read(folder)
    drawn, omitted = _draw(draw, made.rows, folder, "intervals")
    made = made._replace(drawn=drawn, omitted=omitted)
    _write(folder / "report.txt", page(made).encode())
    return made


def page(made: Document) -> str:
    """One page of text for a mail: finding, doubts, what was measured, the tables that matter, how to repeat it."""
    phases = pd.concat([choice.empty(made.rows), choice.headline(choice.breakdown(made.rows))]).drop_duplicates()
    tail = [*_files(made), *_repeat(made.result.host)]
    own = questions.answers(str(made.result.host.get("suite", "")), made.rows)
    parts = [*_opening(made), _headline(made.rows), *own, tables.phases(phases)]
    return _joined([*parts, *_machine(made.result.host, SHORT), tail])


def everything(made: Document) -> str:
    """All there is as text: every table, every case, the whole machine."""
    rows = made.rows
    first = choice.foremost(rows).iloc[0]
    dirty = f"{first['dirty_percent']:g}% dirty" if first["dirty_percent"] else ""
    own = questions.answers(str(made.result.host.get("suite", "")), rows)
    parts: list[str | list[str]] = [*_opening(made), _headline(rows), *own]
    for some, vary, share in (
        (choice.fractions(rows), "dirty_percent", str(first["workload"])),
        (choice.patterns(rows), "workload", dirty),
    ):
        if some[vary].nunique() > 1 and vary != choice.axis(rows):
            size = many(some["pages"].iloc[0], "page")
            parts.append(tables.against(some, vary, ", ".join(filter(None, [share, size]))))
    phases = pd.concat([choice.empty(rows), choice.breakdown(rows)]).drop_duplicates()
    parts += [tables.phases(phases), tables.every(rows)]
    parts += _machine(made.result.host, {label for label, _, _ in MACHINE})
    return _joined([*parts, [*_files(made), *_repeat(made.result.host)]])


def block(folders: list[Path]) -> str:
    """What goes into a cover letter, without its markers: one result's headline, or base against patched."""
    if len(folders) == 1:
        made = read(folders[0])
        short = _machine(made.result.host, SHORT - {"mitigations", "config"})
        return _joined([*_opening(made), _headline(made.rows), *short, _repeat(made.result.host)])
    found = comparison.compare(comparison.load(folders))
    base = found.sides[0]
    wrong = [line for one in found.sides for line in sentences.wrong(one.rows, one.name)]
    checked = sum(int(frames.exactness(one.rows)["intervals"].sum()) for one in found.sides)
    exact = f"Checked page by page: {checked} intervals, {'all exact' if not wrong else 'not all exact, see above'}."
    opening = [*wrong, changes.verdict(found), *changes.warnings(found), exact, *sentences.caveat(base.rows)]
    parts: list[str | list[str]] = [paragraph(line, hang="  ") for line in opening]
    shown = comparisons.foremost(found)
    parts += [comparisons.legend(found), comparisons.table(found, shown), comparisons.notes(found, "change")]
    cases = [len(frame[CASE].drop_duplicates()) for frame in (shown, found.frame)]
    if cases[0] < cases[1]:
        parts.append(note(f"{cases[0]} of {cases[1]} cases: the largest changes to either side"))
    lines = [line for one in found.sides for line in _repeat(one.result.host)]
    return _joined([*parts, *_machine(base.result.host, SHORT - {"version", "config"}), list(dict.fromkeys(lines))])


def compared(made: comparison.Comparison, folder: Path, draw: Draw, **options: str) -> None:
    """Write compare.txt, compare.csv and the plots of a comparison into folder. Raises PermissionDenied."""
    drawn, _ = _draw(draw, comparisons.drawn(made), folder, "comparison")
    text = comparisons.text(made, **options)
    files = paragraph(f"Plots, as .png and .svg: {', '.join(drawn)}. Every case: compare.csv", hang="  ")
    _write(folder / "compare.txt", f"{text}\n\n{files}\n".encode())
    _write(folder / "compare.csv", exports.comparison_csv(made).encode())


def meant(found: Sequence[Verdicts], *, everything: bool = False, into: tuple[Path, Draw] | None = None) -> str:
    """Return the report of results of the suite meaning; write it and the plot into a folder, where one is given."""
    drawn, omitted = _draw(into[1], meaning.frame(found), into[0], "meaning") if into else ([], [])
    parts: list[str | list[str]] = list(meaning.page(found))
    folders = f"Every verdict and the machine record: {', '.join(f'results/{one.name}' for one in found)}"
    repeat = [line for one in found for line in _repeat(one.host)]
    tail = [*_plots(drawn, omitted), paragraph(folders, hang="  "), *dict.fromkeys(repeat)]
    machine = _machine(found[0].host, SHORT - {"config", "mitigations"})
    if into:
        _write(into[0] / "report.txt", _joined([*parts, *machine, tail]).encode())
    return _joined([*parts, *([meaning.contracts(found[0])] if everything else []), *machine, tail])


def as_html(folder: Path, draw: Draw) -> Path:
    """Write report.html, everything in one file, beside the report; return its path."""
    from bench.report import html  # noqa: PLC0415  (jinja2: only for this)

    made = write(folder, draw)
    rows, result = made.rows, made.result
    wrong = ["\n".join(sentences.wrong(rows))] if sentences.wrong(rows) else []
    summary = [*wrong, sentences.finding(rows, result), *sentences.doubtful(rows)]
    summary += [*sentences.measured(rows, result), *sentences.not_measured(result)]
    figures = {name: (folder / f"{name}.svg").read_text(encoding="utf-8") for name in made.drawn}
    path = folder / "report.html"
    _write(path, html.page(result.name, summary, rows, result.host, figures, _stored(made)).encode())
    return path


def _opening(made: Document) -> list[str | list[str]]:
    """The first paragraphs: what was wrong, the finding, doubts, what was measured."""
    wrong = sentences.wrong(made.rows)
    head = ["\n".join(paragraph(line, hang="  ") for line in wrong)] if wrong else []
    measured = [*sentences.measured(made.rows, made.result), *sentences.not_measured(made.result)]
    finding = paragraph(sentences.finding(made.rows, made.result))
    doubts = [paragraph(line, hang="  ") for line in sentences.doubtful(made.rows)]
    return [*head, finding, doubts, list(map(paragraph, measured))]


def _headline(rows: pd.DataFrame) -> str:
    top = choice.sweep(rows)
    return tables.against(top, choice.axis(rows), tables.shared(top))


def _machine(host: dict[str, Any], labels: set[str]) -> list[list[str]]:
    lines = ["Machine:"]
    for label, key, limit in MACHINE:
        if key in host and label in labels:
            value = int(host[key]) >> 20 if key == "memory_bytes" else host[key]
            value = f"{value:.1f}" if isinstance(value, float) else str(value)
            lines.append(f"  {label}: {textwrap.shorten(value, limit, placeholder=' [...]')}")
    return [[paragraph(line, hang="    ") for line in lines]]


def _plots(drawn: Sequence[str], omitted: Sequence[str]) -> list[str]:
    """Which plots there are, and why others are not."""
    lines = [f"Plots, as .png and .svg: {', '.join(drawn)}"] if drawn else []
    return [paragraph(line, hang="  ") for line in (*lines, *(f"Not drawn: {why}" for why in omitted))]


def _files(made: Document) -> list[str]:
    """Where plots and data are."""
    data = f"Every value and the whole machine record: {_stored(made)}"
    return [*_plots(made.drawn, made.omitted), paragraph(data, hang="  ")]


def _stored(made: Document) -> str:
    return f"results/{made.result.name}/{made.data}"


def _repeat(host: dict[str, Any]) -> list[str]:
    return [paragraph("To repeat:"), command(str(host["command"]))] if "command" in host else []


def _joined(parts: Iterable[str | list[str]]) -> str:
    """Paragraphs with blank lines between; the lines of a list stay together."""
    texts = ["\n".join(part) if isinstance(part, list) else part for part in parts]
    return "\n\n".join(filter(None, texts)) + "\n"


def _draw(draw: Draw, frame: pd.DataFrame, folder: Path, kind: str) -> tuple[list[str], list[str]]:
    """Write every plot of that kind of frame; return the names drawn, and why others were not."""
    names, omitted, files = draw(frame, kind)
    for name, data in files.items():
        _write(folder / name, data)
    return names, omitted


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises PermissionDenied."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(data)
    except OSError as error:
        raise PermissionDenied(
            f"{path} can't be written: {error.strerror}", "give a folder you may write to, or copy the result to one"
        ) from None
