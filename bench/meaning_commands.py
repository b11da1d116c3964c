# SPDX-License-Identifier: GPL-2.0-only
"""What `run` and `report` do for the suite meaning: play here or in a guest, save, print as text, csv or ktap."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import host, ktap, meaning, runner
from bench.errors import BadInput, LimitExceeded, Unsupported
from bench.suite import SETTINGS
from bench.vm import kernel, process, qemu

if TYPE_CHECKING:
    from bench.request import Request

SUITE = "meaning"
SOURCE = "the thread of v6: what PAGEMAP_NO_REUSED_REGIONS is for, and the reproducer that was asked for"
SUMMARY = "what each interface reports that nobody wrote, and misses that somebody did"
PLAYS = 100
MEMORY_MIB = 640  # of a guest: its kernel, Python, the initramfs, and huge pages
CPUS = 2  # of a guest: some scenarios need another one
PACKAGES = ["cffi", "pyperf", "psutil"]
STEPS = 4  # lines of progress


def run(request: Request, folder: Path, metadata: dict[str, Any], note: Callable[[str], None]) -> None:
    """Play all scenarios that were asked for, save after each, and print the report. Raises LimitExceeded for ktap."""
    for option, value in (
        ("--workload", request.workload),
        ("--pages", request.pages),
        ("--dirty", request.dirty),
        ("--directory", request.directory),
    ):
        if value:
            raise BadInput(f"{option} has no meaning in the suite {SUITE}", "--filter GLOB chooses scenarios")
    for key in request.settings:
        raise BadInput(f"{SETTINGS[key].option} has no meaning in the suite {SUITE}", "--filter GLOB chooses scenarios")
    if (request.boots or 1) > 1 or (request.processes or 1) > 1:
        raise BadInput(f"the suite {SUITE} boots once, and plays in one process after the other", "give --values only")
    plan = meaning.plan(request.interface, request.pattern, request.values or PLAYS, guest=request.where == "vm")
    argv = ["-m", "bench.scenario", "--plan", json.dumps(plan)]
    with runner.new_folder(folder):
        lines = runner.lines_here(argv) if request.where == "here" else _guest(request, argv, folder, metadata, note)
        collector = meaning.Collector(folder, metadata, plan)
        start, every = time.monotonic(), max(1, len(plan["scenarios"]) // STEPS)
        for line in lines:
            if collector.take(line) and collector.played % every == 0:
                note(f"{collector.played} of {len(plan['scenarios'])} scenarios, {time.monotonic() - start:.0f} s")
        collector.finish()
    report([folder], form=request.form, everything=False, name=None)


def _guest(
    request: Request, argv: list[str], folder: Path, metadata: dict[str, Any], note: Callable[[str], None]
) -> Iterator[str]:
    """Boot the kernel and yield the lines; add what the guest is to the metadata."""
    image = kernel.find(request.kernel, echo=note)
    machine = _boot(image, request.accel, argv, folder, note)
    metadata |= {
        "where": machine.where,
        "accel_reason": machine.accel_reason,
        "qemu": machine.command_line.replace(str(image), image.name),
        "kernel_image": image.name,
    }
    config = host.config_options(kernel.config(image))
    if config != "unknown":  # else the guest may know, from its /proc/config.gz
        metadata["kernel_config"] = config
    yield from machine


def _boot(image: Path, accel: str, argv: list[str], folder: Path, note: Callable[[str], None]) -> process.Guest:
    """Boot under KVM where it works, else under TCG: counting instructions would leave one CPU for nothing."""
    options: dict[str, Any] = {"packages": PACKAGES, "memory_mib": MEMORY_MIB, "cpus": CPUS, "time_limit": 0}
    options |= {"log": folder / "guest.log", "echo": note}
    if accel == "auto":
        try:
            return qemu.run(image, argv, accel="kvm", **options)
        except Unsupported as why:
            note(f"emulating: {why}")
            accel = "tcg"
    return qemu.run(image, argv, accel=accel, **options)


def report(folders: list[Path], *, form: str, everything: bool, name: Path | None) -> None:
    """Print results of the suite meaning; write text and plot beside one, or of several into the folder `name`."""
    results = [meaning.load(folder) for folder in folders]
    if form == "ktap":
        if len(results) > 1:
            raise BadInput("ktap is about one result", "give one NAME")
        print("\n".join(ktap.lines(results[0])))
        if bad := ktap.failures(results[0]):
            raise LimitExceeded(f"{bad} of {len(results[0].scenarios)} scenarios are not ok", "they are marked above")
        return
    from bench import meaning_report  # noqa: PLC0415  (pandas and matplotlib: seconds)
    from bench import report as reports  # noqa: PLC0415

    if form == "csv":
        print(meaning_report.as_csv(results), end="")
    elif form == "html":
        raise BadInput(f"the suite {SUITE} has no html report", "--format text, csv or ktap")
    else:
        target = name or (folders[0] if len(folders) == 1 else None)
        print(reports.meant(results, target, everything=everything), end="")
