# SPDX-License-Identifier: GPL-2.0-only
"""What each command of the command line does."""

from __future__ import annotations

import json
import os
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import workloads
from bench import host, interfaces, meaning, meaning_commands, progress, runner, suites
from bench.errors import BadInput, LimitExceeded
from bench.mapping import DIRECTORY, KINDS
from bench.request import Request, note
from bench.suite import Point
from bench.vm import kernel, qemu

RESULTS = runner.ROOT / "results"
GUEST_PACKAGES = ["cffi", "pyperf", "psutil"]
OWN = "own"  # the suite of points that were asked for one by one
GUEST_MEMORY = 512 << 20  # bytes, for the guest's kernel, Python and initramfs


def version() -> str:
    """Return the suite's own version."""
    return str(tomllib.loads((runner.ROOT / "pyproject.toml").read_text())["project"]["version"])


def fail(message: str, hint: str, status: int) -> int:
    """Print an error the one way there is, and return the exit status."""
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
    return status


def probe(as_json: bool) -> None:
    """Print which interfaces work here, and what disturbs."""
    reasons = interfaces.probe_all()
    disturbances = host.disturbances()
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
    print("suites, with about how long they take here and the most memory they need")
    for s in suites.SUITES.values():
        fitting, left_out = runner.fitting(s.points)
        seconds = progress.seconds(fitting, s.processes)
        most = max(point.bytes_needed for point in fitting) >> 20
        print(f"  {s.name:15} {s.summary}")
        print(f"  {'':15} {s.source}")
        more = f", {left_out} of them left out: too large for this machine" if left_out else ""
        print(f"  {'':15} {len(s.points)} points{more}; {progress.human(seconds)}, {most} MiB")
    print(f"  {meaning_commands.SUITE:15} {meaning_commands.SUMMARY}")
    print(f"  {'':15} {meaning_commands.SOURCE}")
    takes = f"10 s here, 4 min in a guest, {meaning_commands.MEMORY_MIB} MiB"
    print(f"  {'':15} {len(workloads.scenarios())} scenarios; {takes}")
    print("\nworkloads")
    for name in workloads.names():
        print(f"  {name:15} {(workloads.load(name).__doc__ or '').splitlines()[0]}")
    print("\nscenarios of the suite meaning")
    for name in workloads.scenarios():
        print(f"  {name:22} {(workloads.load_scenario(name).__doc__ or '').splitlines()[0]}")
    print("\nkinds of memory")
    for name, kind in KINDS.items():
        print(f"  {name:15} {kind.summary}")
    print("\ninterfaces")
    for interface in interfaces.INTERFACES.values():
        print(f"  {interface.name:15} {interface.summary}")
    print("\nresults")
    for folder in sorted({path.parent for name in ("suite.json", meaning.FILE) for path in RESULTS.glob(f"*/{name}")}):
        print(f"  {folder.name}")


def list_kernels() -> None:
    """Print Debian's kernels as --kernel takes them."""
    for one in kernel.debian_kernels(note):
        print(f"debian:{one.version:10} {one.package} {one.package_version} ({one.suite})")


def run(request: Request) -> None:
    """Measure, save after every worker, and end with the report."""
    if request.kernel == "debian:":
        list_kernels()
        return
    if request.suite == meaning_commands.SUITE:
        play(request)
        return
    if request.form != "text":
        raise BadInput(f"--format {request.form} is for the suite {meaning_commands.SUITE}", "leave out --format")
    points = request.points()
    request.settle()
    if not request.pages:  # those of a suite, made for any machine; what was asked for by number is refused below
        points, left_out = runner.fitting(points)
        if left_out:
            note(f"{left_out} of the suite's points need more than half of the memory that is free: left out.")
    folder = result_folder(request.name or time.strftime(f"{request.suite}-%Y%m%d-%H%M%S"))
    chosen = request.interface or suites.find(request.suite).interfaces or tuple(interfaces.INTERFACES)
    names = [name for name in interfaces.INTERFACES if name in ("none", *chosen)]
    plan: dict[str, Any] = {
        "points": [list(point) for point in points],
        "interfaces": names,
        "values": request.values,
        "seed": request.seed,
        "directory": request.directory or DIRECTORY,
    }
    runner.check_memory(points)
    metadata: dict[str, Any] = {
        "suite": OWN if request.own_points else request.suite,
        "seed": request.seed,
        "command": request.command(),
        "suite_version": version(),
        "planned_runs": len(points) * (request.processes or 1),
    }
    if request.where == "vm":
        plan["huge_pages"] = max(point.huge_pages for point in points)
    plans = [plan | {"processes": share} for share in request.shares()]
    with runner.new_folder(folder), progress.Bar(points, request.processes or 1) as bar:
        lines: Iterator[str]
        if request.where == "here":
            lines = runner.lines_here(runner.worker_argv(plans[0]))
        else:
            lines = guests(request, plans, points, folder, bar, metadata)
        runner.collect(lines, runner.Collector(folder, metadata), bar.update)
    report(str(folder))


def play(request: Request) -> None:
    """Run the suite meaning."""
    request.settle_where()
    folder = result_folder(request.name or time.strftime(f"{request.suite}-%Y%m%d-%H%M%S"))
    metadata = {"suite": request.suite, "command": request.repeat(meaning_commands.PLAYS), "suite_version": version()}
    meaning_commands.run(request, folder, metadata, note)


def guests(
    request: Request,
    plans: list[dict[str, Any]],
    points: list[Point],
    folder: Path,
    bar: progress.Bar,
    metadata: dict[str, Any],
) -> Iterator[str]:
    """Boot the kernel once for each plan, one after the other, and yield the lines that the workers print.

    Adds what the guest is to the metadata.
    """
    image = kernel.find(request.kernel, echo=bar.print)
    config = host.config_options(kernel.config(image))
    needed = runner.check_memory(points)
    reserved = max(point.huge_pages for point in points) << 21
    for plan in plans:
        machine = qemu.run(
            image,
            runner.worker_argv(plan),
            packages=GUEST_PACKAGES,
            memory_mib=(needed + reserved + GUEST_MEMORY) >> 20,
            cpus=1 if all(point.alone for point in points) else os.cpu_count() or 1,
            accel=request.accel,
            time_limit=0,
            log=folder / "guest.log",
            echo=bar.print,
        )
        metadata |= {
            "where": machine.where,
            "accel_reason": machine.accel_reason,
            "qemu": machine.command_line.replace(str(image), image.name),
            "kernel_image": image.name,
        }
        if config != "unknown":  # else the guest may know, from its /proc/config.gz
            metadata["kernel_config"] = config
        said = 0
        for line in machine:
            said += 1
            yield line
        if said < 2:  # the machine's record alone: nothing can be measured there, and no other boot will change that
            return


def result_folder(name: str) -> Path:
    """Return the folder of a result: a name below results/, or a path if it has a slash."""
    if not name or name in (".", ".."):
        raise BadInput(f"{name!r} is no name for a result", "give a word, such as --name patched")
    return Path(name) if "/" in name else RESULTS / name


def existing(name: str) -> Path:
    """Return the folder of a result that is there: below results/, or a path. Raises BadInput for an odd name."""
    folder = result_folder(name)
    return Path(name) if not folder.is_dir() and Path(name).is_dir() else folder


def report(*names: str, everything: bool = False, form: str = "text", into: str | None = None) -> None:
    """Print the report of a result, after writing it and its plots beside it; of the suite meaning, of several."""
    folders = [existing(name) for name in names]
    if all((folder / meaning.FILE).is_file() for folder in folders):
        target = result_folder(into) if into else None
        meaning_commands.report(folders, form=form, everything=everything, name=target)
        return
    if len(names) > 1 or into or form == "ktap":
        raise BadInput(
            "several results, --name and ktap are for results of the suite meaning",
            "./bench.py compare takes several results of the other suites",
        )
    from bench import formats, results  # noqa: PLC0415  (pandas, scipy and matplotlib: seconds)
    from bench import report as reports  # noqa: PLC0415

    folder = folders[0]
    if form == "csv":
        print(formats.result_csv(results.load(folder / "suite.json")), end="")
    elif form == "html":
        print(reports.as_html(folder))
    else:
        made = reports.write(folder)
        print(reports.everything(made) if everything else reports.page(made))


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
    from bench import compare as comparing  # noqa: PLC0415
    from bench import formats  # noqa: PLC0415

    sides = comparing.load([existing(name) for name in request.names])
    made = comparing.compare(sides, metric=request.metric, pattern=request.pattern, alpha=request.alpha)
    order = {"sort": request.sort, "sign": request.sign}
    if request.form in ("csv", "json"):
        print({"csv": formats.comparison_csv, "json": formats.comparison_json}[request.form](made).rstrip("\n"))
    else:
        print({"text": formats.text, "markdown": formats.markdown}[request.form](made, **order))
    if request.name:
        from bench import report as reports  # noqa: PLC0415  (matplotlib: a second more)

        reports.compared(made, result_folder(request.name), **order)
    if request.fail_on is None:
        return
    if made.frame["least_p"].min() * made.tests >= made.alpha:
        note("--fail-on can't fail: too few runs for any difference to be significant")
    worse = made.regressions(request.fail_on / 100)
    if not worse.empty:
        worst = worse.sort_values("ratio").iloc[-1]
        raise LimitExceeded(
            f"{len(worse)} of {len(made.frame)} cases are significantly more than {request.fail_on:g}% slower, "
            f"by up to {formats.most_of(worst)}",
            "--sort change shows the slowest last in each interface; --fail-on sets the limit",
        )


def cover_letter(names: tuple[str, ...], into: str | None) -> None:
    """Print the block for a cover letter, or put it into a file."""
    from bench import cover  # noqa: PLC0415
    from bench import report as reports  # noqa: PLC0415

    block = cover.wrap(reports.block([existing(name) for name in names]))
    if into is None:
        print(block, end="")
    elif cover.edit(Path(into), block):
        note(f"{into}: results put in")
    else:
        note(f"{into}: has these results already")
