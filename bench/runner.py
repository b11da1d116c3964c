# SPDX-License-Identifier: GPL-2.0-only
"""The collecting side: turns what workers print, here or in a guest, into pyperf results on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyperf

from bench.errors import BadInput, PermissionDenied, Unsupported, WorkerFailed
from bench.host import meminfo
from bench.interfaces import INTERFACES
from bench.suite import Point

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = "pagemap-bench 3"  # results/README.md says what each version holds
Metadata = dict[str, str | int | float]


def check_memory(points: Iterable[Point]) -> int:
    """Return the bytes that the largest point needs. Raises BadInput if this machine has less to give."""
    largest = max(points, key=lambda point: point.bytes_needed)
    available = meminfo("MemAvailable")
    if largest.bytes_needed > available:
        raise BadInput(
            f"{largest.name} needs {largest.bytes_needed >> 20} MiB, and {available >> 20} MiB are free",
            "give fewer --pages, or leave the largest out with --filter",
        )
    return largest.bytes_needed


def fitting(points: Sequence[Point]) -> tuple[list[Point], int]:
    """Return the points that need no more than half of the memory that is free, and how many do."""
    safe = meminfo("MemAvailable") // 2
    small = [point for point in points if point.bytes_needed <= safe]
    return small or list(points), len(points) - len(small) if small else 0


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make the folder of a run, and remove it again if the run leaves nothing in it.

    Raises BadInput if it exists, since a result is never overwritten, and PermissionDenied where making it is refused.
    """
    if folder.exists():
        raise BadInput(f"{folder} exists", "choose another --name, or remove it first")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise PermissionDenied(
            f"{folder} can't be made: {error.strerror}",
            "give --name a path you may write to, such as --name /tmp/first",
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):  # not empty: it stays
            folder.rmdir()


def worker_argv(plan: dict[str, Any]) -> list[str]:
    """Return what Python is told to run the plan's workers, here or in a guest."""
    return ["-m", "bench.worker", "--plan", json.dumps(plan)]


def lines_here(argv: list[str]) -> Iterator[str]:
    """Run Python with argv on the running kernel and yield the lines it prints. Raises WorkerFailed."""
    process = subprocess.Popen([sys.executable, *argv], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    try:
        yield from process.stdout
        status = process.wait()
    finally:
        process.kill()
        process.wait()
    if status:
        raise WorkerFailed(f"the measuring process ended with status {status}", "its messages are above")


class Collector:
    """Takes the lines of one run and keeps suite.json complete after every worker."""

    def __init__(self, folder: Path, metadata: Metadata) -> None:
        self.path = folder / "suite.json"
        self.metadata = metadata  # shared: who boots guests adds to it what they are
        self.host: Metadata = {}
        self.unavailable: dict[str, list[str]] = {}
        self.workers = 0
        self.done = 0  # workers, and points for which there was nothing to do
        self.boots = 0
        self._benchmarks: dict[str, pyperf.Benchmark] = {}

    def take(self, line: str) -> str:
        """Use one line; return its type. Raises WorkerFailed where the line says that a worker failed."""
        record = json.loads(line)
        kind = str(record["type"])
        if kind == "host":
            self.boots += 1
            if self.boots == 1:  # one kernel: what can't be measured in its first boot can't be in any
                self.metadata["planned_runs"] = round(int(self.metadata["planned_runs"]) * record["measurable"])
            self.unavailable = record["unavailable"]
            reasons = {f"unavailable:{name}": reason[0] for name, reason in self.unavailable.items()}
            self.host = record["metadata"] | reasons
        elif kind == "worker":
            self._add(record)
            self._save()
            self.done += 1
        elif kind == "skipped":
            self.done += 1
        else:
            why = record["stderr"].strip() or "it left no message"
            raise WorkerFailed(
                f"the worker for {Point(*record['point']).name!r} ended with status {record['status']}: {why}",
                f"{self.workers} finished workers are in {self.path}" if self.workers else "nothing was measured yet",
            )
        return kind

    def _add(self, record: dict[str, Any]) -> None:
        point = Point(*record["point"])
        shared = self.host | self.metadata | record["metadata"] | {"schema": SCHEMA}
        shared |= {"workload": point.workload, "pages": point.pages, "dirty_percent": point.dirty_percent}
        named = {"setting": point.setting, "file_system": record["file_system"]}
        shared |= point.changed | {key: text for key, text in named.items() if text}  # pyperf wants no empty ones
        shared |= {
            "kind": point.kind,
            "loops": point.loops,
            "process": record["process"],
            "boot": self.boots - 1,
            "unit": "second",
        }
        shared |= {f"unavailable:{label} at {point.name}": why for label, why in record["refused"].items()}
        for series in record["series"]:
            phases = series.pop("phases")
            label = series["interface"] + (" atomic" if series["atomic"] else "")
            for phase, found in phases.items():
                name = f"{point.name} {label} {phase}"
                run = pyperf.Run(
                    [
                        max(value, 1e-9) for value in found["values"]
                    ],  # pyperf wants more than 0, the clock's unit is 1 ns
                    warmups=[(1, value) for value in found["warmups"]],
                    metadata=shared | series | {"name": name, "phase": phase},
                    collect_metadata=False,
                )
                if name in self._benchmarks:
                    self._benchmarks[name].add_run(run)
                else:
                    self._benchmarks[name] = pyperf.Benchmark([run])
        self.workers += 1

    def _save(self) -> None:
        """Write aside and rename: whoever kills us finds a whole file."""
        aside = self.path.with_name("suite.json.part")
        pyperf.BenchmarkSuite(list(self._benchmarks.values())).dump(str(aside), replace=True)
        os.replace(aside, self.path)


def collect(lines: Iterable[str], collector: Collector, progress: Callable[[str, int], None]) -> None:
    """Feed every line to the collector. Raises Unsupported if nothing can be measured there."""
    for line in lines:
        kind = collector.take(line)
        progress(kind, collector.done)
    if not collector.workers:
        reasons = "; ".join(f"{name}: {why}" for name, (why, _) in collector.unavailable.items())
        others = [remedy for name, (_, remedy) in collector.unavailable.items() if name not in INTERFACES]
        remedy = next(iter([*others, *(remedy for _, remedy in collector.unavailable.values())]), "")
        raise Unsupported(f"no interface can be measured there ({reasons or 'no worker ran'})", remedy)
