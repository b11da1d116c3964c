# SPDX-License-Identifier: GPL-2.0-only
"""Makes small invented suite.json files through pyperf's own API. The numbers mean nothing: for tests only."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyperf

from bench.suite import Point

ALL = ("none", "clear_refs", "scan-softdirty", "scan-wp")
SIZES = (1, 10, 100, 1000, 10000, 65536)
# seconds per call and per page of the mapping, seconds per written page: reset, collect, tracked write
COST = {
    "clear_refs": (8e-6, 4e-9, 20e-9, 60e-9),
    "scan-softdirty": (8e-6, 4e-9, 5e-9, 60e-9),
    "scan-wp": (1.5e-6, 2e-9, 3e-9, 90e-9),
    "v6": (2e-6, 3e-9, 4e-9, 60e-9),
    "v6-no-reused": (2e-6, 3e-9, 4e-9, 60e-9),
    "uffd-sync": (2e-6, 5e-9, 1e-9, 6e-6),
    "mprotect": (2e-6, 5e-9, 1e-9, 3e-6),
}
HOST = {
    "schema": "pagemap-bench 3",
    "suite": "quick",
    "where": "kvm",
    "kernel_release": "6.12.107+deb13-cloud-amd64",
    "kernel_version": "#1 SMP PREEMPT_DYNAMIC Debian 6.12.107-1 (2026-11-01)",
    "cpu_model_name": "Invented CPU E5-0000 @ 0.00GHz",
    "cpu_count": 2,
    "mitigations": "spectre_v2: none of this is real",
    "cmdline": "console=ttyS0 quiet",
    "command": "./bench.py run --suite quick --seed 42",
    "page_size": 4096,
    "clock_ns": 21.5,
    "syscall_ns": 83.0,
    "perf_version": "2.10.0",
    "python_version": "3.11.2 (64-bit)",
    "tsc_hz": 2.5e9,
    "seed": 42,
    "unit": "second",
    "loops": 4,
}
ATOMIC = ("scan-wp", "v6", "v6-no-reused")


def points() -> list[tuple[str, int, float]]:
    """(workload, pages, dirty percent) of a suite like `quick`."""
    sweep = [("random", pages, dirty) for pages, dirty in product(SIZES, (1.0, 10.0, 50.0))]
    ends = [(name, pages, dirty) for pages in SIZES for name, dirty in (("idle", 0.0), ("all", 100.0))]
    return sweep + ends + [(name, 65536, 10.0) for name in ("sequential", "strided", "clustered", "hotset")]


def phases(interface: str, atomic: bool, pages: int, written: int) -> dict[str, float]:
    """Invented seconds of each phase."""
    dirty = {"dirty": 40e-9 * written} if written else {}
    if interface == "none":
        return dirty
    call, reset, collect, write = COST[interface]
    if written:
        dirty["dirty"] += write * written
    if atomic:
        return {**dirty, "collect_reset": call + (reset + collect) * pages * 0.8}
    return {"reset": call + reset * pages, **dirty, "collect": call / 4 + collect * pages}


def suite(
    path: Path,
    *,
    interfaces: Iterable[str] = ALL,
    what: Iterable[tuple[Any, ...]] | None = None,
    processes: int = 6,
    rounds: int = 4,
    noise: float = 0.02,
    wrong: dict[tuple[str, str, int], tuple[int, int]] | None = None,
    boots: int = 1,
    luck: int = 7,
    factor: dict[str, float] | None = None,
    **host: Any,
) -> Path:
    """Write path. what: the first fields of suite.Point, three or more.

    wrong: (form, workload, pages) -> (extra, missed) in one interval of each process;
    factor: form -> by how much all its phases are slower; luck: seed of the noise.
    """
    rng = np.random.default_rng(luck)
    what = list(points() if what is None else what)
    common = {**HOST, "planned_runs": processes * len(what), **host}
    runs: dict[str, list[pyperf.Run]] = {}
    for point, process in product([Point(*one) for one in what], range(processes)):
        workload, pages, written = point.workload, point.pages, point.dirty
        for interface in interfaces:
            for atomic in (False, True) if interface in ATOMIC and not point.first else (False,):
                label = f"{interface}{' atomic' if atomic else ''}"
                extra, missed = (wrong or {}).get((label, workload, pages), (0, 0))
                facts = {
                    **common, "workload": workload, "pages": pages, "dirty_percent": point.dirty_percent,
                    "kind": point.kind, **point.changed, "writes": written,
                    "written_pages": written, "interface": interface, "atomic": int(atomic), "process": process,
                    "boot": process * boots // processes,
                    "intervals": rounds * 4, "extra": extra, "missed": missed,
                }  # fmt: skip
                if extra or missed:
                    facts["wrong"] = f"{rounds * 4 - 1}x+0-0 1x+{extra}-{missed}"
                if point.setting:
                    facts["setting"] = point.setting
                populating = {"populate": 250e-9 * pages} if point.first else {}
                for phase, seconds in (phases(interface, atomic, pages, written) | populating).items():
                    name = f"{point.name} {label} {phase}"
                    slower = (factor or {}).get(label, 1.0)
                    values = (seconds * slower * rng.lognormal(0, noise, rounds)).tolist()
                    metadata = {**facts, "phase": phase, "name": name}
                    runs.setdefault(name, []).append(pyperf.Run(values, metadata=metadata, collect_metadata=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    pyperf.BenchmarkSuite([pyperf.Benchmark(some) for some in runs.values()]).dump(str(path), replace=True)
    return path
