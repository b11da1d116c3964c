# SPDX-License-Identifier: GPL-2.0-only
"""What each command does. What takes long to import, or needs the C core, is imported where it is used."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BadInput, LimitExceeded, PermissionDenied
from bench.plan import catalogue, suites
from bench.plan.interfaces import INTERFACES, UNTRACKED
from bench.plan.kinds import KINDS
from bench.plan.plan import Plan
from bench.plan.records import INSTRUCTIONS
from bench.run.request import Request
from bench.run.settle import ROOT, free_memory, need_core, settle, usual
from bench.store import log

if TYPE_CHECKING:
    from bench.run.machines import Site

RESULTS = ROOT / "results"
HOLD_RESULTS = (log.FILE, log.PACKED, "suite.json", "suite.json.gz", "meaning.json")  # the last ones: older versions


def note(text: str) -> None:
    """Say something to the person; standard output belongs to results."""
    print(text, file=sys.stderr, flush=True)


def probe(as_json: bool) -> None:
    """Print which interfaces work here, and what disturbs."""
    need_core()
    from bench.measure import machine  # noqa: PLC0415
    from bench.measure.probe import probe_all  # noqa: PLC0415

    reasons, disturbances = probe_all(), machine.disturbances()
    if as_json:
        found = {name: {"works": not why, **(why._asdict() if why else {})} for name, why in reasons.items()}
        print(json.dumps({"interfaces": found, "disturbances": [d._asdict() for d in disturbances]}, indent=2))
        return
    for name, why in reasons.items():
        print(f"{name:15} {'no: ' + why.why if why else 'yes'}")
        if why:
            print(f"{'':15} -> {why.remedy}")
    print("\nWhat would disturb a measurement here (nothing was changed):")
    for d in disturbances:
        print(f"  {d.what}\n  -> {d.remedy}")
    if not disturbances:
        print("  nothing found")


def list_everything() -> None:
    """Print the names a run or report can be given, each with what it is."""
    _list_suites()
    _list("workloads", {name: one.summary for name, one in catalogue.workloads().items()})
    _list(f"scenarios of the suite {suites.MEANING.name}", {n: one.summary for n, one in catalogue.scenarios().items()})
    _list("kinds of memory", {name: kind.summary for name, kind in KINDS.items()})
    _list("interfaces", {name: row.summary for name, row in INTERFACES.items()})
    found = {path.parent.name for name in HOLD_RESULTS for path in RESULTS.glob(f"*/{name}")}
    _list("results", dict.fromkeys(sorted(found), ""))


def _list_suites() -> None:
    from bench.run import machines, progress  # noqa: PLC0415

    print("suites, with about how long they take on the running kernel and the most memory they need")
    free, here = free_memory(), machines.here()
    for suite in (*suites.SUITES.values(), suites.MEANING):
        plan = usual(suite, free)
        took = progress.human(progress.estimate(plan, here))
        what = f"{len(suite.points)} points" if suite.points else f"{len(plan.scenarios)} scenarios"
        if left_out := len(suite.points) - len(plan.points):
            what += f", {left_out} of them left out: too large for this machine"
        print(f"  {suite.name:15} {suite.summary}\n  {'':15} {suite.source}")
        print(f"  {'':15} {what}; {took}{f', {plan.bytes_needed >> 20} MiB' if suite.points else ''}")


def _list(title: str, rows: dict[str, str]) -> None:
    width = max([15, *map(len, rows)])
    print(f"\n{title}")
    for name, summary in rows.items():
        print(f"  {name:{width}} {summary}".rstrip())


def list_kernels() -> None:
    """Print Debian's kernels as --kernel takes them."""
    from bench.vm import kernel  # noqa: PLC0415

    for one in kernel.debian_kernels(note):
        print(f"debian:{one.version:10} {one.package} {one.package_version} ({one.suite})")


def run(request: Request) -> None:
    """Measure what was asked for into a new folder, and end with the report."""
    if request.kernel == "debian:":
        list_kernels()
        return
    from bench.run import campaign  # noqa: PLC0415  (rich)

    need_core()
    reasons: list[str] = []
    plan = settle(request, reasons.append, note)
    site = _site(plan)
    plan = _decided(plan, site)
    folder = result_folder(request.name or time.strftime(f"{request.suite}-%Y%m%d-%H%M%S"))
    with new_folder(folder):
        for line in (_described(plan, site), *reasons, *site.remarks):
            note(line)
        campaign.measure(plan, site, folder)
    report(str(folder), form=request.form)


def _site(plan: Plan) -> Site:
    """Return where the plan is measured."""
    from bench.run import machines  # noqa: PLC0415

    if plan.where == "here":
        return machines.here()
    from bench.vm import kernel, qemu  # noqa: PLC0415

    image = kernel.find(plan.kernel, echo=note)
    otherwise = "tcg" if plan.scenarios else "icount"  # counting instructions would leave scenarios one CPU for nothing
    accel = qemu.accelerator(plan.accel, image, machines.GUEST_PACKAGES, note, otherwise=otherwise)
    return machines.guests(plan, image, accel)


def _decided(plan: Plan, site: Site) -> Plan:
    """Return the plan with what choosing the site decided: another machine is to repeat this, not to choose again."""
    words = shlex.split(plan.command)
    if "--accel" in words:
        words[words.index("--accel") + 1] = site.accel
    return plan._replace(counted=site.quantity == INSTRUCTIONS, accel=site.accel, command=shlex.join(words))


def _described(plan: Plan, site: Site) -> str:
    """What a run will do, and about how long that takes."""
    from bench.run import progress  # noqa: PLC0415

    if plan.scenarios:
        what = f"Playing {_many(len(plan.scenarios), 'scenario', 's')}, each {_many(plan.values, 'time', 's')}"
    else:
        what = f"Measuring {_many(len(plan.points), 'point', 's')}, each in {_many(plan.processes, 'process', 'es')}"
    boots = f", {_many(plan.boots, 'boot', 's')}" if site.guest else ""
    took = progress.human(progress.estimate(plan, site))
    tracking = ", ".join(name for name in plan.interfaces if name != UNTRACKED)
    return f"{what}, with {tracking}, on {site.title}{boots}: about {took}."


def _many(count: int, one: str, ending: str) -> str:
    return f"{count} {one}{ending if count != 1 else ''}"


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make the folder of a run, and remove it again if nothing was measured into it.

    Raises BadInput if it exists, since a result is never overwritten, and PermissionDenied where making it is refused.
    """
    try:
        made = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True)
    except FileExistsError:
        raise BadInput(f"{folder} exists", "choose another --name, or remove it first") from None
    except OSError as error:
        raise PermissionDenied(
            f"{folder} can't be made: {error.strerror}",
            "give --name a path you may write to, such as --name /tmp/first",
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):  # not empty: it stays
            for path in made:
                path.rmdir()


def result_folder(name: str) -> Path:
    """Return the folder of a result: a name below results/, or a path if it has a slash."""
    if not name or name in (".", ".."):
        raise BadInput(f"{name!r} is no name for a result", "give a word, such as --name patched")
    return Path(name) if "/" in name else RESULTS / name


def existing(name: str) -> Path:
    """Return the folder of a result that is there: below results/, or a path. Raises BadInput where there is none."""
    for folder in (result_folder(name), Path(name)):
        if os.path.isdir(folder):
            return folder
    raise BadInput(f"there is no result {name}", "./bench.py list names those there are")


def report(*names: str, everything: bool = False, form: str = "text", into: str | None = None) -> None:
    """Print the report of a result, after writing it and its plots beside it; of the suite meaning, of several."""
    from bench.store import frames, verdicts  # noqa: PLC0415  (pandas: half a second)

    folders = [existing(name) for name in names]
    if all(verdicts.holds(folder) for folder in folders):
        _report_meaning(folders, form, everything=everything, into=into)
        return
    if len(names) > 1 or into or form == "ktap":
        raise BadInput(
            "several results, --name and ktap are for results of the suite meaning",
            "./bench.py compare takes several results of the other suites",
        )
    from bench.report import exports, pages  # noqa: PLC0415  (scipy and matplotlib: seconds)
    from plots import drawing  # noqa: PLC0415

    folder = folders[0]
    if form == "csv":
        print(exports.result_csv(frames.load(folder)), end="")
    elif form == "html":
        print(pages.as_html(folder, drawing.every))
    else:
        _export(folder)
        made = pages.write(folder, drawing.every)
        print(pages.everything(made) if everything else pages.page(made))


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


def _report_meaning(folders: Sequence[Path], form: str, *, everything: bool, into: str | None) -> None:
    """Print results of the suite meaning; write text and plot beside one, or of several into the folder `into`."""
    from bench.report import ktap  # noqa: PLC0415
    from bench.store import verdicts  # noqa: PLC0415

    results = [verdicts.load(folder) for folder in folders]
    if form == "ktap":
        if len(results) > 1:
            raise BadInput("ktap is about one result", "give one NAME")
        print("\n".join(ktap.lines(results[0])))
        if bad := ktap.failures(results[0]):
            raise LimitExceeded(f"{bad} of {len(results[0].scenarios)} scenarios are not ok", "they are marked above")
        return
    from bench.report import meaning, pages  # noqa: PLC0415

    if form == "csv":
        print(meaning.as_csv(results), end="")
    elif form == "html":
        raise BadInput(f"the suite {suites.MEANING.name} has no html report", "give --format text, csv or ktap")
    else:
        from plots import drawing  # noqa: PLC0415  (matplotlib: a second more)

        target = result_folder(into) if into else folders[0] if len(folders) == 1 else None
        print(pages.meant(results, everything=everything, into=(target, drawing.every) if target else None), end="")


@dataclass
class Comparing:
    """The options of `compare`, as typed."""

    names: tuple[str, ...]
    form: str
    metric: str
    pattern: str
    sort: str
    sign: str
    alpha: float
    fail_on: float | None
    name: str | None


def compare(request: Comparing) -> None:
    """Print what differs between results; keep it where a name is given. Raises LimitExceeded."""
    from bench.report import changes, comparisons, exports  # noqa: PLC0415
    from bench.stats import comparison  # noqa: PLC0415

    target = result_folder(request.name) if request.name else None
    sides = comparison.load([existing(name) for name in request.names])
    made = comparison.compare(sides, metric=request.metric, pattern=request.pattern, alpha=request.alpha)
    order = {"sort": request.sort, "sign": request.sign}
    if request.form in ("csv", "json"):
        print({"csv": exports.comparison_csv, "json": exports.comparison_json}[request.form](made).rstrip("\n"))
    else:
        print({"text": comparisons.text, "markdown": comparisons.markdown}[request.form](made, **order))
    if target:
        from bench.report import pages  # noqa: PLC0415
        from plots import drawing  # noqa: PLC0415  (matplotlib: a second more)

        pages.compared(made, target, drawing.every, **order)
    if request.fail_on is None:
        return
    if not made.decidable():
        note("--fail-on can't fail: too few runs for any difference to be certain")
    if worse := changes.failure(made, request.fail_on):
        raise LimitExceeded(worse, "--sort change shows the worst last for each interface; --fail-on sets the limit")


def cover_letter(names: tuple[str, ...], into: str | None) -> None:
    """Print the block for a cover letter, or put it into a file."""
    from bench.report import letters, pages  # noqa: PLC0415

    block = letters.wrap(pages.block([existing(name) for name in names]))
    if into is None:
        print(block, end="")
    elif letters.edit(Path(into), block):
        note(f"{into}: results put in")
    else:
        note(f"{into}: has these results already")
