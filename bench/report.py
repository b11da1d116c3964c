# SPDX-License-Identifier: GPL-2.0-only
"""The reports of results: pages of text for a mail, and the files and plots beside suite.json."""

import importlib
import io
import os
import pkgutil
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

import plots
from bench import answers, compare, findings, formats, meaning, meaning_report, results, tables
from bench.errors import PermissionDenied, Unsupported
from plots import style

# label, metadata, limit in characters: what readers of a cover letter ask for; the rest is in suite.json
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


class Report(NamedTuple):
    """A result, read and drawn."""

    name: str
    rows: pd.DataFrame
    host: dict[str, Any]
    drawn: list[str]
    omitted: list[str]


def read(folder: Path) -> Report:
    """Read folder/suite.json without drawing. Raises BadInput for a result that can't be read."""
    loaded = results.load(folder / "suite.json")
    return Report(folder.resolve().name, results.intervals(loaded.frame), loaded.host, [], [])


def write(folder: Path) -> Report:
    """Read folder/suite.json and write report.txt, and each plot as PNG and SVG, beside it.

    Raises BadInput for a result that can't be read, PermissionDenied where the folder can't be written.
    """
    made = read(folder)
    drawn, omitted = _draw(made.rows, folder, "intervals")
    made = made._replace(drawn=drawn, omitted=omitted)
    _write(folder / "report.txt", page(made).encode())
    return made


def page(made: Report) -> str:
    """One page of text for a mail: finding, doubts, what was measured, the tables that matter, how to repeat it."""
    phases = pd.concat([results.empty(made.rows), results.headline(results.breakdown(made.rows))]).drop_duplicates()
    tail = [*_files(made), *_repeat(made.host)]
    own = answers.answers(str(made.host.get("suite", "")), made.rows)
    parts = [*_opening(made), _headline(made.rows), *own, tables.phases(phases)]
    return _joined([*parts, *_machine(made.host, SHORT), tail])


def everything(made: Report) -> str:
    """All there is as text: every table, every case, the whole machine."""
    rows = made.rows
    first = results.foremost(rows).iloc[0]
    dirty = f"{first['dirty_percent']:g}% dirty" if first["dirty_percent"] else ""
    own = answers.answers(str(made.host.get("suite", "")), rows)
    parts: list[str | list[str]] = [*_opening(made), _headline(rows), *own]
    for some, vary, share in (
        (results.fractions(rows), "dirty_percent", str(first["workload"])),
        (results.patterns(rows), "workload", dirty),
    ):
        if some[vary].nunique() > 1 and vary != results.axis(rows):
            size = tables.many(some["pages"].iloc[0], "page")
            parts.append(tables.against(some, vary, ", ".join(filter(None, [share, size]))))
    phases = pd.concat([results.empty(rows), results.breakdown(rows)]).drop_duplicates()
    parts += [tables.phases(phases), tables.every(rows)]
    parts += _machine(made.host, {label for label, _, _ in MACHINE})
    return _joined([*parts, [*_files(made), *_repeat(made.host)]])


def block(folders: list[Path]) -> str:
    """What goes into a cover letter, without its markers: one result's headline, or base against patched."""
    if len(folders) == 1:
        made = read(folders[0])
        short = _machine(made.host, SHORT - {"mitigations", "config"})
        return _joined([*_opening(made), _headline(made.rows), *short, _repeat(made.host)])
    found = compare.compare(compare.load(folders))
    base = found.results[0]
    wrong = [line for one in found.results for line in findings.wrong(one.rows, one.name)]
    checked = sum(int(results.exactness(one.rows)["intervals"].sum()) for one in found.results)
    exact = f"Checked page by page: {checked} intervals, {'all exact' if not wrong else 'not all exact, see above'}."
    opening = [*wrong, formats.verdict(found), *found.warnings, exact, *findings.caveat(base.rows)]
    parts: list[str | list[str]] = [tables.paragraph(line, hang="  ") for line in opening]
    shown = formats.foremost(found)
    parts += [formats.legend(found), formats.table(found, shown), formats.notes(found, "change")]
    cases = [len(frame[findings.CASE].drop_duplicates()) for frame in (shown, found.frame)]
    if cases[0] < cases[1]:
        parts.append(tables.note(f"{cases[0]} of {cases[1]} cases: the largest changes to either side"))
    lines = [line for one in found.results for line in _repeat(one.host)]
    return _joined([*parts, *_machine(base.host, SHORT - {"version", "config"}), list(dict.fromkeys(lines))])


def compared(made: compare.Comparison, folder: Path, **options: str) -> None:
    """Write compare.txt, compare.csv and the plots of a comparison into folder. Raises PermissionDenied."""
    drawn, _ = _draw(made.frame, folder, "comparison")
    text = formats.text(made, **options)
    files = tables.paragraph(f"Plots, as .png and .svg: {', '.join(drawn)}. Every case: compare.csv", hang="  ")
    _write(folder / "compare.txt", f"{text}\n\n{files}\n".encode())
    _write(folder / "compare.csv", formats.comparison_csv(made).encode())


def meant(results_: Sequence[meaning.Result], folder: Path | None, *, everything: bool) -> str:
    """Return the report of results of the suite meaning; write it and the plot into folder, where one is given."""
    drawn, omitted = _draw(meaning_report.frame(results_), folder, "meaning") if folder else ([], [])
    parts: list[str | list[str]] = list(meaning_report.page(results_))
    files = [f"Plots, as .png and .svg: {', '.join(drawn)}"] if drawn else []
    files += [f"Not drawn: {why}" for why in omitted]
    files.append(f"Every verdict and the machine record: {', '.join(f'{one.name}/{meaning.FILE}' for one in results_)}")
    repeat = [line for one in results_ for line in _repeat(one.host)]
    tail = [*(tables.paragraph(line, hang="  ") for line in files), *dict.fromkeys(repeat)]
    machine = _machine(results_[0].host, SHORT - {"config", "mitigations"})
    if folder:
        _write(folder / "report.txt", _joined([*parts, *machine, tail]).encode())
    return _joined([*parts, *([meaning_report.contracts(results_[0])] if everything else []), *machine, tail])


def as_html(folder: Path) -> Path:
    """Write report.html, everything in one file, beside the report; return its path."""
    from bench import html  # noqa: PLC0415  (jinja2: only for this)

    made = write(folder)
    wrong = ["\n".join(findings.wrong(made.rows))] if findings.wrong(made.rows) else []
    summary = [*wrong, findings.finding(made.rows, made.host), *findings.doubtful(made.rows)]
    summary += [*findings.measured(made.rows, made.host), *findings.not_measured(made.host)]
    figures = {name: (folder / f"{name}.svg").read_text(encoding="utf-8") for name in made.drawn}
    path = folder / "report.html"
    _write(path, html.page(made.name, summary, made.rows, made.host, figures).encode())
    return path


def _opening(made: Report) -> list[str | list[str]]:
    """The first paragraphs: what was wrong, the finding, doubts, what was measured."""
    wrong = findings.wrong(made.rows)
    head = ["\n".join(tables.paragraph(line, hang="  ") for line in wrong)] if wrong else []
    measured = [*findings.measured(made.rows, made.host), *findings.not_measured(made.host)]
    finding = tables.paragraph(findings.finding(made.rows, made.host))
    doubts = [tables.paragraph(line, hang="  ") for line in findings.doubtful(made.rows)]
    return [*head, finding, doubts, list(map(tables.paragraph, measured))]


def _headline(rows: pd.DataFrame) -> str:
    top = results.sweep(rows)
    return tables.against(top, results.axis(rows), tables.shared(top))


def _machine(host: dict[str, Any], labels: set[str]) -> list[list[str]]:
    lines = ["Machine:"]
    for label, key, limit in MACHINE:
        if key in host and label in labels:
            value = host[key] >> 20 if key == "memory_bytes" else host[key]
            value = f"{value:.1f}" if isinstance(value, float) else str(value)
            lines.append(f"  {label}: {textwrap.shorten(value, limit, placeholder=' [...]')}")
    return [[tables.paragraph(line, hang="    ") for line in lines]]


def _files(made: Report) -> list[str]:
    """Where plots and data are."""
    lines = [f"Plots, as .png and .svg: {', '.join(made.drawn)}"] if made.drawn else []
    lines += [f"Not drawn: {why}" for why in made.omitted]
    lines.append(f"Every value and the whole machine record: results/{made.name}/suite.json (pyperf)")
    return [tables.paragraph(line, hang="  ") for line in lines]


def _repeat(host: dict[str, Any]) -> list[str]:
    return [tables.paragraph("To repeat:"), tables.command(str(host["command"]))] if "command" in host else []


def _joined(parts: Iterable[str | list[str]]) -> str:
    """Paragraphs with blank lines between; the lines of a list stay together."""
    texts = ["\n".join(part) if isinstance(part, list) else part for part in parts]
    return "\n\n".join(filter(None, texts)) + "\n"


def _draw(frame: pd.DataFrame, folder: Path, kind: str) -> tuple[list[str], list[str]]:
    """Write every plot of that kind of frame; return the names drawn, and why others were not."""
    drawn, omitted = [], []
    for name in sorted(info.name for info in pkgutil.iter_modules(plots.__path__) if info.name != "style"):
        module = importlib.import_module(f"plots.{name}")
        if kind != module.FRAME:
            continue
        with style.applied():
            try:
                figure: Figure | None = module.plot(frame)
            except Unsupported as why:
                omitted.append(f"{name} ({why})")
                continue
            if figure is None:  # about something else than this result
                continue
            figure.draw_without_rendering()  # lays it out, once and not for each file
            figure.set_layout_engine("none")
            _write(folder / f"{name}.png", _png(figure))
            _write(folder / f"{name}.svg", _svg(figure))
        drawn.append(name)
    return drawn, omitted


def _png(figure: Figure) -> bytes:
    """A PNG of 128 colours: a third of the size, and mailing lists want less than 100 KB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")  # type: ignore[no-untyped-call]
    # the default, median cut, mixes rare colours: a heading came out in another interface's
    colours = image.quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small = io.BytesIO()
    colours.save(small, "png", optimize=True)
    return small.getvalue()


def _svg(figure: Figure) -> bytes:
    """An SVG without dates and versions: the same data gives the same file."""
    data = io.BytesIO()
    figure.savefig(data, format="svg", metadata={"Date": None, "Creator": None})
    return data.getvalue()


def _write(path: Path, data: bytes) -> None:
    """Write aside and rename, so that no reader ever finds half a file. Raises PermissionDenied."""
    aside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(data)
        os.replace(aside, path)
    except OSError as error:
        raise PermissionDenied(
            f"{path} can't be written: {error.strerror}", "give a folder you may write to, or copy the result to one"
        ) from None
