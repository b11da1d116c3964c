# SPDX-License-Identifier: GPL-2.0-only
"""The measuring side: `python -m bench.worker --plan JSON` runs a plan's workers one after the other.

Each worker is a process of its own that measures one point across all interfaces. What they found is printed as one
JSON object a line; `bench/runner.py` reads it, from here or from a guest. Imports little: under TCG each import costs.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import signal
import sys
import time
from typing import Any

from bench import interfaces
from bench.errors import BenchError
from bench.mapping import Interval, Mapping, Pattern, Tracker, die_with_parent, forgo_huge_pages, sample
from bench.suite import Point

PHASES = {False: ("reset", "dirty", "collect"), True: ("dirty", "collect_reset")}
WARMUPS = 1  # intervals per fresh mapping: the first write-protects what was never protected


def say(record: dict[str, Any]) -> None:
    """Print one record."""
    print(json.dumps(record, separators=(",", ":")), flush=True)


def wrong_intervals(intervals: list[Interval]) -> str:
    """Per interval, run-length encoded: `3x+0-0 1x+512-0` is three exact ones, then one with 512 extra pages."""
    runs: list[tuple[int, str]] = []
    for i in intervals:
        text = f"+{i.extra}-{i.missed}"
        if runs and runs[-1][1] == text:
            runs[-1] = (runs[-1][0] + 1, text)
        else:
            runs.append((1, text))
    return " ".join(f"{count}x{text}" for count, text in runs)


class Series:
    """What one interface (in its separate or its atomic form) took and reported, over all rounds of a worker."""

    def __init__(self, interface: interfaces.Interface, atomic: bool) -> None:
        self.interface = interface
        self.atomic = atomic
        self.intervals: list[Interval] = []
        self.values: list[list[float]] = []  # [round][phase], seconds per interval
        self.warmups: list[list[float]] = []
        self.refused = ""

    @property
    def label(self) -> str:
        """As in benchmark names."""
        return self.interface.name + (" atomic" if self.atomic else "")

    def measure(self, point: Point, pattern: Pattern) -> None:
        """One round: a fresh mapping, the warmup interval, then the timed ones.

        A kernel without memory or VMAs left for this interface at this point refuses it, and the others go on.
        """
        try:
            with Mapping(point.pages) as mapping, Tracker(self.interface.table, mapping) as tracker:
                found = tracker.run(pattern, WARMUPS + point.loops, atomic=self.atomic)
        except OSError as error:
            if error.errno != errno.ENOMEM or not self.interface.tracks:
                raise
            self.refused = f"{error.filename} failed: {error.strerror}"
            return
        self.intervals += found
        self.warmups.append(self._mean(found[:WARMUPS]))
        self.values.append(self._mean(found[WARMUPS:]))

    def _mean(self, intervals: list[Interval]) -> list[float]:
        columns = ("dirty_ns", "collect_ns") if self.atomic else ("reset_ns", "dirty_ns", "collect_ns")
        return [sum(getattr(i, column) for i in intervals) / len(intervals) / 1e9 for column in columns]

    def record(self, pattern: Pattern) -> dict[str, Any]:
        """Return phases with values and warmups (seconds per interval), and how right the results were."""
        has = {"reset": self.interface.tracks, "dirty": pattern.writes > 0}
        extra, missed = (sum(getattr(i, what) for i in self.intervals) for what in ("extra", "missed"))
        found: dict[str, Any] = {
            "interface": self.interface.name,
            "atomic": int(self.atomic),
            "intervals": len(self.intervals),
            "extra": extra,
            "missed": missed,
            "phases": {
                phase: {"values": [v[i] for v in self.values], "warmups": [v[i] for v in self.warmups]}
                for i, phase in enumerate(PHASES[self.atomic])
                if has.get(phase, self.interface.tracks)
            },
        }
        if extra or missed:
            found["wrong"] = wrong_intervals(self.intervals)
        return found


def own_memory() -> dict[str, int]:
    """Return what clear_refs walks besides the mapping: this process, between two mappings."""
    with open("/proc/self/statm") as statm, open("/proc/self/maps") as maps:
        resident, vmas = int(statm.read().split()[1]), sum(1 for _ in maps)
    return {"worker_resident_bytes": resident * os.sysconf("SC_PAGE_SIZE"), "worker_vmas": vmas}


def peak_memory() -> int:
    """Return the most bytes that were ever resident in this process."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Measure one point across the interfaces, in rounds shuffled by the seed."""
    point = Point(*job["point"])
    seed = job["seed"] + job["process"]
    gc.disable()
    cpu = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})  # a migration in mid-interval is nobody's cost
    start, date = time.monotonic(), time.strftime("%Y-%m-%d %H:%M:%S")
    pattern = Pattern(point.order(seed), point.pages)
    rows = [interfaces.find(name) for name in job["interfaces"]]
    series = [Series(row, atomic) for row in rows for atomic in (False, True) if row.atomic or not atomic]
    memory = own_memory()
    for turn in range(job["values"]):
        for i in sample(len(series), len(series), seed * 1000 + turn):
            if not series[i].refused:
                series[i].measure(point, pattern)
    return {
        "type": "worker",
        "point": job["point"],
        "process": job["process"],
        "metadata": memory
        | {
            "worker_bytes": peak_memory() - point.pages * os.sysconf("SC_PAGE_SIZE"),
            "writes": pattern.writes,
            "written_pages": pattern.written,
            "cpu_affinity": str(cpu),
            "date": date,
            "duration": time.monotonic() - start,
        },
        "series": [one.record(pattern) for one in series if not one.refused],
        "refused": {one.label: one.refused for one in series if one.refused},
    }


def serve(plan: dict[str, Any]) -> int:
    """Run a plan: first the machine and what it can measure, then every worker, one process each."""
    import subprocess  # noqa: PLC0415  (as pyperf, which host needs: seconds of start-up under TCG, for no worker)

    from bench import host  # noqa: PLC0415

    host.settle()
    reasons = interfaces.probe_all()
    say(
        {
            "type": "host",
            "metadata": host.record(),
            "unavailable": {k: list(v) for k, v in reasons.items() if v},
        }
    )
    usable = [name for name in plan["interfaces"] if not reasons[name]]
    if not any(interfaces.find(name).tracks for name in usable):
        return 0  # the runner has the reasons, and says them
    for process in range(*plan["processes"]):
        for point in plan["points"]:
            job = {"point": point, "process": process, "interfaces": usable} | {k: plan[k] for k in ("seed", "values")}
            done = subprocess.run(
                [sys.executable, "-m", "bench.worker", "--job", json.dumps(job)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                failure = {"point": point, "status": done.returncode, "stderr": done.stderr[-4000:]}
                say({"type": "failed"} | failure)
                return 1
            print(done.stdout, end="", flush=True)
    return 0


def main(argv: list[str]) -> int:
    """Take `--plan JSON`, or `--job JSON` for one worker of it."""
    what, text = argv
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's to answer, and it ends this process
    die_with_parent()
    forgo_huge_pages()
    if what == "--plan":
        return serve(json.loads(text))
    try:
        say(measure(json.loads(text)))
    except OSError as error:
        print(f"{error.filename} failed: {error.strerror} (errno {error.errno})", file=sys.stderr)
        return 1
    except (BenchError, MemoryError) as error:
        print(error or "out of memory", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
