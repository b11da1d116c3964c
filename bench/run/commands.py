# SPDX-License-Identifier: GPL-2.0-only
"""What each command does. What takes long to import, or needs the C core, is imported where it is used."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import place
from bench.errors import BadInput, PermissionDenied, WrongAnswer
from bench.files import replacing
from bench.harmless import quoted
from bench.plan import arches, catalogue, suites
from bench.plan.arches import USUAL
from bench.plan.interfaces import INTERFACES
from bench.plan.kinds import KINDS
from bench.run import folders
from bench.run.options import FOR_CI, FOR_LABS, KCIDB, NUMBERED
from bench.run.settle import free_memory, need_core, usual
from bench.run.tell import note
from bench.store import log

if TYPE_CHECKING:
    from bench.measure.machine import Disturbance
    from bench.measure.probe import Probed
    from bench.stats import comparison

RESULTS = place.results()


def probe(as_json: bool) -> None:
    """Print which interfaces work here, and what disturbs. Raises WrongAnswer."""
    need_core()
    from bench.measure import machine  # noqa: PLC0415
    from bench.measure.probe import probe_all  # noqa: PLC0415

    tell_probed(probe_all(), machine.disturbances(), as_json)


def tell_probed(probed: Mapping[str, Probed], disturbances: Sequence[Disturbance] | None, as_json: bool) -> None:
    """Print what came of probes, and what disturbs where that was asked. Raises WrongAnswer."""
    if as_json:
        found = {
            name: {"works": not (one.refused or one.wrong), **(one.refused._asdict() if one.refused else {})}
            | ({"wrong": one.wrong} if one.wrong else {})
            for name, one in probed.items()
        }
        more = {} if disturbances is None else {"disturbances": [d._asdict() for d in disturbances]}
        print(json.dumps({"interfaces": found} | more, indent=2))
    else:
        for name, one in probed.items():
            why, remedy = one.refused or ("", "")
            print(f"{name:15} {f'WRONG: {one.wrong}' if one.wrong else f'no: {why}' if why else 'yes'}")
            if remedy:
                print(f"{'':15} -> {place.typed(remedy)}")
        if disturbances is not None:
            print("\nWhat would disturb a measurement here (nothing was changed):")
        for d in disturbances or ():
            print(f"  {d.what}\n  -> {place.typed(d.remedy)}")
        if disturbances == []:
            print("  nothing found")
    if wrong := {name: one.wrong for name, one in probed.items() if one.wrong}:
        from bench.report import gate  # noqa: PLC0415  (pandas: half a second)

        first = next(iter(wrong))
        what = f"WRONG: {first}: {wrong[first]}" + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else "")
        raise WrongAnswer(what, gate.WRONG)


def list_everything() -> None:
    """Print the names a run or report can be given, each with what it is."""
    _list_suites()
    _list("workloads", {name: one.summary for name, one in catalogue.workloads().items()})
    for suite in suites.PLAYED.values():
        some = catalogue.scenarios(*(INTERFACES[name].prop for name in suite.interfaces))
        _list(f"scenarios of the suite {suite.name}", {name: one.summary for name, one in some.items()})
    _list("kinds of memory", {name: kind.summary for name, kind in KINDS.items()})
    _list("interfaces", {name: row.summary for name, row in INTERFACES.items()})
    _list(
        f"results in {RESULTS}" if place.INSTALLED else "results",
        dict.fromkeys(map(quoted, folders.named(RESULTS)), ""),
    )


def _list_suites() -> None:
    from bench.run import machines, progress  # noqa: PLC0415

    print("suites, with about how long they take on the running kernel and the most memory they need")
    free, here = free_memory(), machines.here()
    for suite in (*suites.SUITES.values(), *suites.PLAYED.values()):
        plan = usual(suite, free)
        took = progress.human(progress.estimate((plan, here)))
        what = f"{len(suite.points)} points" if suite.points else f"{len(plan.scenarios)} scenarios"
        if left_out := len(suite.points) - len(plan.points):
            why = "too large for this machine" if not suite.by_cpus else "for a machine of more CPUs, or memory"
            what += f", {left_out} of them left out: {why}"
        print(f"  {suite.name:15} {suite.summary}\n  {'':15} {suite.source}")
        print(f"  {'':15} {what}; {took}{f', {plan.bytes_needed >> 20} MiB' if suite.points else ''}")


def _list(title: str, rows: dict[str, str]) -> None:
    width = max([15, *map(len, rows)])
    print(f"\n{title}")
    for name, summary in rows.items():
        print(f"  {name:{width}} {summary}".rstrip())


def list_kernels(arch: str = USUAL) -> None:
    """Print Debian's kernels of an architecture as --kernel takes them."""
    from bench.vm import kernel  # noqa: PLC0415

    for one in kernel.debian_kernels(note, arches.find(arch)):
        config = "" if one.config else ", configuration unknown"
        print(f"debian:{one.version:10} {one.package} {one.package_version} ({one.suite}{config})")


def result_folder(name: str) -> Path:
    """Return the folder of a result: a name below results/, or a path if it has a slash."""
    if not name or name in (".", ".."):
        raise BadInput(f"{name!r} is no name for a result", "give a word, such as --name patched")
    if name.startswith("-"):
        raise BadInput(f"{name!r} begins like an option", "give another name, or a path: ./-NAME")
    return Path(name) if "/" in name else RESULTS / name


def existing(name: str) -> Path:
    """Return the folder of a result that is there: below results/, or a path. Raises BadInput where there is none."""
    for folder in (result_folder(name), RESULTS / name, Path(name)):
        if os.path.isdir(folder):
            return folder
    raise BadInput(f"there is no result {name}", "./bench.py list names those there are")


def report(
    *names: str,
    everything: bool = False,
    form: str = "text",
    into: str | None = None,
    baseline: str | None = None,
    build: str | None = None,
) -> None:
    """Print the report of a result, after writing it and its plots beside it; of the suite meaning, of several.

    `baseline`, `build`: of formats for kernel CI, see bench/run/ci.py.
    """
    from bench.store import frames, verdicts  # noqa: PLC0415  (pandas: half a second)

    folders = [existing(name) for name in names]
    if baseline and form not in (*FOR_CI, *FOR_LABS):
        raise BadInput("--baseline is for formats of kernel CI and labs", "./bench.py compare BASE NEW for all others")
    if build and form != KCIDB:
        raise BadInput("--build is for --format kcidb", "leave out --build")
    if form in (*FOR_CI, *FOR_LABS):
        _for_readers(folders, form, baseline, build)
        return
    if all(verdicts.holds(folder) for folder in folders):
        from bench.run import meant  # noqa: PLC0415

        meant.report(folders, form, result_folder(into) if into else None, everything=everything)
        return
    if len(names) > 1 or into:
        raise BadInput(
            "several results and --name are for results of the suite meaning",
            "./bench.py compare takes several results of the other suites",
        )
    from bench.report import exports, pages  # noqa: PLC0415  (scipy and matplotlib: seconds)
    from plots import drawing  # noqa: PLC0415

    folder = folders[0]
    if form == "csv":
        print(exports.result_csv(frames.load(folder)), end="")
    elif form == "html":
        print(quoted(str(pages.as_html(folder, drawing.every))))
    else:
        try:
            _export(folder)
            made = pages.write(folder, drawing.every)
        except PermissionDenied as error:
            note(f"The report is not kept: {error}; {error.hint}.")
            made = pages.read(folder)
        print(place.typed(pages.everything(made) if everything else pages.page(made)))


def _for_readers(folders: Sequence[Path], form: str, baseline: str | None, build: str | None) -> None:
    """Print a result for programs that read test results."""
    from bench.run import ci  # noqa: PLC0415
    from bench.store import verdicts  # noqa: PLC0415

    played = [verdicts.holds(folder) for folder in folders]
    if len(folders) > 1 or not (played[0] or form in NUMBERED):
        what = "one result" if form in NUMBERED else "one result of the suite meaning"
        raise BadInput(f"{form} is about {what}", "give one NAME: ./bench.py list has them")
    if played[0]:
        ci.report(folders[0], form, existing(baseline) if baseline else None, build)
    elif baseline:
        raise BadInput("--baseline is for results of the suite meaning", "./bench.py compare BASE NEW takes times")
    else:
        ci.measured(folders[0], form, build)


def _export(folder: Path) -> None:
    """Write suite.json, for pyperf, beside a log that is newer. Raises PermissionDenied."""
    from bench.store import export  # noqa: PLC0415  (pyperf)

    path, source = folder / export.FILE, log.find(folder)
    if source is None or (path.is_file() and path.stat().st_mtime_ns > source.stat().st_mtime_ns):
        return
    try:
        export.write_suite(folder)
    except OSError as error:
        raise PermissionDenied(
            f"{path} can't be written: {error.strerror}", "copy the result to a folder you may write to"
        ) from None


@dataclass
class Comparing:
    """The options of `compare`, as typed."""

    names: tuple[str, ...]
    form: str = "text"
    metric: str = "cost"
    pattern: str = "*"
    sort: str = "case"
    sign: str = "change"
    alpha: float = 0.05
    fail_on: float | str | None = None
    name: str | None = None


def compare(request: Comparing) -> None:
    """Print what differs between results; keep it where a name is given. Raises LimitExceeded, NoVerdict."""
    from bench.report import comparisons, exports, functions, gate  # noqa: PLC0415
    from bench.stats import across, comparison, samples  # noqa: PLC0415
    from bench.store import verdicts  # noqa: PLC0415

    target = result_folder(request.name) if request.name else None
    folders = [existing(name) for name in request.names]
    if len(folders) > 1 and all(map(verdicts.holds, folders)):
        from bench.run import meant  # noqa: PLC0415

        meant.compare(folders, request.form, request.pattern, request.fail_on, target)
        return
    if isinstance(request.fail_on, str):
        raise gate.no_verdicts(request.fail_on)
    sides = comparison.load(folders)
    if across.unlike(sides):
        _across(request, sides)
        return
    made = comparison.compare(sides, metric=request.metric, pattern=request.pattern, alpha=request.alpha)
    order = {"sort": request.sort, "sign": request.sign}
    exact = (target or request.form == "text") and samples.exact(*(one.rows for one in sides))
    by_function = functions.accounted(folders, sides, request.pattern) if exact else None
    if request.form in ("csv", "json"):
        print({"csv": exports.comparison_csv, "json": exports.comparison_json}[request.form](made).rstrip("\n"))
    else:
        forms = {"text": comparisons.text, "markdown": comparisons.markdown, "html": comparisons.as_html}
        print(forms[request.form](made, **order))
        if by_function is not None and request.form == "text":
            print(f"\n{functions.change_text(by_function)}")
    if target:
        from bench.report import pages  # noqa: PLC0415
        from plots import drawing  # noqa: PLC0415  (matplotlib: a second more)

        pages.compared(made, target, drawing.every, by_function, **order)
    if request.fail_on is not None:
        note(gate.judge(made, request.fail_on))


def _across(request: Comparing, sides: list[comparison.Side]) -> None:
    """Print what may be compared of two architectures. Raises BadInput for what needs numbers of one kind."""
    from bench.report import across as report  # noqa: PLC0415
    from bench.stats import across  # noqa: PLC0415

    if request != Comparing(request.names):  # each of its options is about changes
        across.refuse(sides)
    print(report.text(sides))


def cover_letter(names: tuple[str, ...], into: str | None = None, *, keep: Path | None = None, **shown: Any) -> None:
    """Print the block for a cover letter, put it into a file, or keep it as a file of its own; shown: of block()."""
    from bench.report import blocks, letters  # noqa: PLC0415

    block = letters.wrap(blocks.block([existing(name) for name in names], **shown))
    if keep:
        with replacing(keep) as file:
            file.write(block.encode())
    elif into is None:
        print(place.typed(block), end="")
    elif letters.edit(Path(into), block):
        note(f"{into}: results put in")
    else:
        note(f"{into}: has these results already")
