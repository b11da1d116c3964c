# SPDX-License-Identifier: GPL-2.0-only
"""The report of a result: one page of text for a mail, and the plots beside it."""

import importlib
import io
import os
import pkgutil
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

import plots
from bench import results, stats, tables
from bench.errors import PermissionDenied, Unsupported
from plots import style

CAVEATS = {
    "kvm": "Measured in a virtual machine: page faults and TLB flushes cost what the hypervisor makes them cost.",
    "tcg": "Measured under TCG, an emulation of every instruction: no time here is that of a real machine, and the "
    "ratios are indicative only.",
    "tcg-icount": "Measured under TCG with instruction counting: the clock counts instructions (1 instruction = 1 ns), "
    "not cycles: no caches, no TLB cost. It compares code paths and repeats closely; it tells no times, and the ratios "
    "are those of instructions.",
}
# label, metadata, limit in characters: what readers of a cover letter ask for; the rest is in suite.json
MACHINE = (
    ("CPU", "cpu_model_name", 200),
    ("CPUs", "cpu_count", 20),
    ("RAM, MiB", "memory_bytes", 20),
    ("kernel", "kernel_release", 100),
    ("version", "kernel_version", 200),
    ("image", "kernel_image", 200),
    ("command line", "cmdline", 200),
    ("mitigations", "mitigations", 200),
    ("THP setting", "thp_enabled", 20),
    ("governor", "governor", 20),
    ("disturbed by", "disturbances", 400),
    ("clock call, ns", "clock_ns", 20),
    ("system call, ns", "syscall_ns", 20),
)
WRONG_LINES = 5  # wrong points named in full; the rest is counted


def report(folder: Path) -> str:
    """Return the report of folder/suite.json after writing it, and each plot as PNG and SVG, into folder.

    Raises BadInput for a result that can't be read, PermissionDenied where the folder can't be written.
    """
    loaded = results.load(folder / "suite.json")
    rows = results.intervals(loaded.frame)
    drawn, omitted = _draw(rows, folder)
    text = compose(rows, loaded.host, folder.name, drawn, omitted)
    _write(folder / "report.txt", text.encode())
    return text


def compose(rows: pd.DataFrame, host: dict[str, Any], name: str, drawn: list[str], omitted: list[str]) -> str:
    """The text: rows of results.intervals(), results.load()'s host, the result's name, plots drawn and left out."""
    top, phases = results.sweep(rows), pd.concat([results.empty(rows), results.breakdown(rows)])
    parts = [*_wrong(rows), _finding(rows, host), _what(rows, host)]
    first = top.iloc[0]
    dirty = f", {first['dirty_percent']:g}% dirty" if first["dirty_percent"] else ""
    parts.append(tables.against(top, "pages", f"{first['workload']}{dirty}"))
    for some, vary, share in (
        (results.fractions(rows), "dirty_percent", str(first["workload"])),
        (results.patterns(rows), "workload", dirty.strip(", ")),
    ):
        if some[vary].nunique() > 1:
            parts.append(
                tables.against(some, vary, ", ".join(filter(None, [share, tables.many(some["pages"].iloc[0], "page")])))
            )
    parts.append(tables.phases(phases.drop_duplicates()))
    parts += ["\n".join(some) for some in (_not_measured(host), _machine(host)) if some]
    files = [tables.paragraph(f"Plots, as .png and .svg: {', '.join(drawn)}", hang="  ")] if drawn else []
    files += [tables.paragraph(f"Not drawn: {why}", hang="  ") for why in omitted]
    files += [
        tables.paragraph(f"Every value and the whole machine record: results/{name}/suite.json (pyperf)", hang="  ")
    ]
    if "command" in host:
        files += [tables.paragraph("To repeat:"), tables.command(str(host["command"]))]
    return "\n\n".join([*parts, "\n".join(files)]) + "\n"


def _wrong(rows: pd.DataFrame) -> list[str]:
    """First lines where anything was not exact: how often, which interface, where."""
    counts = results.exactness(rows)
    bad = counts[counts["wrong_intervals"] > 0]
    if bad.empty:
        return []
    total = f"{bad['wrong_intervals'].sum()} of {counts['intervals'].sum()}"
    lines = [f"WRONG PAGES: {total} intervals did not report exactly the pages that were written."]
    for _, row in bad.head(WRONG_LINES).iterrows():
        lines.append(
            f"{row['form']}, {tables.describe(row.to_frame().T)}: {row['wrong_intervals']} of {row['intervals']} "
            f"intervals; {row['extra']} pages reported but not written, {row['missed']} written but not reported"
        )
    if len(bad) > WRONG_LINES:
        lines.append(f"and {len(bad) - WRONG_LINES} more; see `extra` and `missed` in suite.json")
    return ["\n".join(tables.paragraph(line, hang="  ") for line in lines)]


def _finding(rows: pd.DataFrame, host: dict[str, Any]) -> str:
    """One or two sentences that follow from the data, with their uncertainty."""
    top = results.sweep(rows)
    top = top[top["pages"] == top["pages"].max()]
    cost = stats.medians(top, ["form"], "cost")["median"]
    point, challenger = tables.describe(top), results.challenger(rows)
    ratio = stats.ratios(top, results.POINT, "cost", results.LEGACY, challenger or "")
    if challenger is None or ratio.empty:
        shown = ", ".join(f"{tables.us(cost[form])} us with {form}" for form in cost.index)
        missing = [n for n in (results.LEGACY, results.IOCTL[1]) if not (rows["interface"] == n).any()]
        why = "; ".join(f"{n} was not measured ({_reason(n, host)})" for n in missing)
        return tables.paragraph(f"One tracking interval costs {shown} ({point}). No speedup: {why or 'lost in noise'}.")
    one = ratio.iloc[0]
    bounds = f", {tables.times(one['low'])} to {tables.times(one['high'])}" if one["processes"] > 1 else ""
    text = (
        f"One tracking interval costs {tables.us(cost[results.LEGACY])} us with {results.LEGACY} + pagemap and "
        f"{tables.us(cost[challenger])} us with {challenger} ({point}): {tables.times(one['median'])} as fast"
        f"{bounds} ({tables.interval_name(ratio)}). {_overall(rows, challenger)}"
    )
    unpaired = cost[results.LEGACY] / cost[challenger]
    if min(one["median"], unpaired) < 1 < max(one["median"], unpaired):
        text += f" Round by round and by the medians ({tables.times(unpaired)}) the answer differs: too noisy to tell."
    return tables.paragraph(text)


def _overall(rows: pd.DataFrame, challenger: str) -> str:
    """How the speedup holds over all points; a point counts only if its interval excludes 1."""
    ratios = stats.ratios(rows, results.POINT, "cost", results.LEGACY, challenger)
    faster, slower = (ratios["low"] > 1).sum(), (ratios["high"] < 1).sum()
    rising = ratios.sort_values("median").reset_index().to_dict("records")
    least, most = (
        f"{tables.times(one['median'])} ({tables.describe(pd.DataFrame([one]))})" for one in (rising[0], rising[-1])
    )
    by = "" if ratios["enough"].all() else " (all processes agree)"
    return (
        f"Of {tables.many(len(ratios), 'point')} {challenger} is faster in {faster}, slower in {slower}{by}, and in "
        f"{len(ratios) - faster - slower} no difference can be told; from {least} to {most}."
    )


def _what(rows: pd.DataFrame, host: dict[str, Any]) -> str:
    """What was measured, how much of what was planned, and whether every interval was checked and exact."""
    points = rows[results.POINT].drop_duplicates()
    runs = len(rows[[*results.POINT, "process"]].drop_duplicates())
    planned = int(host.get("planned_runs", runs))
    checked = results.exactness(rows)
    names = list(rows["interface"].cat.remove_unused_categories().cat.categories)
    measured = ", ".join(names)
    if any(name.startswith("scan-") for name in names):
        measured += " (scan-*: the PAGEMAP_SCAN ioctl)"
    lines = [
        f"Measured: suite {host.get('suite', '?')}, {tables.many(len(points), 'point')}, {tables.where(rows)}, "
        f"{rows.iloc[0]['cpu']}; interfaces {measured}; seed {host.get('seed', 'varies')}."
    ]
    if runs < planned:
        lines.append(f"INCOMPLETE: {runs} of {planned} planned runs.")
    exact = "all exact" if not checked["wrong_intervals"].any() else "not all exact, see above"
    lines.append(
        f"Checked page by page: {checked['intervals'].sum()} intervals in {tables.many(runs, 'run')}, {exact}."
    )
    caveat = CAVEATS.get(str(rows.iloc[0]["where"]))
    if caveat is None and rows.iloc[0]["where"] != "bare-metal":
        caveat = CAVEATS["kvm"]
    return "\n".join(map(tables.paragraph, filter(None, [*lines, caveat])))


def _reason(interface: str, host: dict[str, Any]) -> str:
    return str(host.get(f"unavailable:{interface}", "not asked for"))


def _not_measured(host: dict[str, Any]) -> list[str]:
    """Which interfaces could not be measured, each with the reason."""
    prefix = "unavailable:"
    missing = [key.removeprefix(prefix) for key in host if key.startswith(prefix)]
    return [tables.paragraph(f"Not measured: {name}: {_reason(name, host)}.", hang="  ") for name in missing]


def _machine(host: dict[str, Any]) -> list[str]:
    lines = ["Machine:"]
    for label, key, limit in MACHINE:
        if key in host:
            value = host[key] >> 20 if key == "memory_bytes" else host[key]
            value = f"{value:.1f}" if isinstance(value, float) else str(value)
            lines.append(f"  {label}: {textwrap.shorten(value, limit, placeholder=' [...]')}")
    return [tables.paragraph(line, hang="    ") for line in lines]


def _draw(rows: pd.DataFrame, folder: Path) -> tuple[list[str], list[str]]:
    """Write every plot there is; return the names drawn, and why others were not."""
    drawn, omitted = [], []
    for module in sorted(info.name for info in pkgutil.iter_modules(plots.__path__) if info.name != "style"):
        with style.applied():
            try:
                figure: Figure = importlib.import_module(f"plots.{module}").plot(rows)
            except Unsupported as why:
                omitted.append(f"{module} ({why})")
                continue
            _write(folder / f"{module}.png", _png(figure))
            _write(folder / f"{module}.svg", _render(figure, "svg", {"Date": None, "Creator": None}))
        drawn.append(module)
    return drawn, omitted


def _png(figure: Figure) -> bytes:
    """A PNG of 128 colours: a third of the size, and mailing lists want less than 100 KB."""
    small = io.BytesIO()
    with Image.open(io.BytesIO(_render(figure, "png", {"Software": None}))) as image:
        image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return small.getvalue()


def _render(figure: Figure, kind: str, metadata: dict[str, None]) -> bytes:
    """The figure's bytes, without dates and versions: the same data gives the same file."""
    data = io.BytesIO()
    figure.savefig(data, format=kind, metadata=metadata)
    return data.getvalue()


def _write(path: Path, data: bytes) -> None:
    """Write aside and rename, so that no reader ever finds half a file. Raises PermissionDenied."""
    aside = path.with_name(path.name + ".part")
    try:
        aside.write_bytes(data)
        os.replace(aside, path)
    except OSError as error:
        raise PermissionDenied(
            f"{path} can't be written: {error.strerror}", "copy the result to a folder of yours"
        ) from None
