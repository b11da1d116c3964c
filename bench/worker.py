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
from contextlib import ExitStack
from typing import Any

from bench import interfaces
from bench.errors import BenchError
from bench.mapping import (
    ANON,
    KINDS,
    Interval,
    Layout,
    Mapping,
    Pattern,
    Tracker,
    Writers,
    die_with_parent,
    forgo_huge_pages,
    hold_memory,
    sample,
)
from bench.suite import Point

PHASES = {False: ("reset", "dirty", "collect"), True: ("dirty", "collect_reset")}
# No memory, no VMAs; or part of a hugetlb page, at which a walk with max_pages stops where it began.
REFUSED = (errno.ENOMEM, errno.ELOOP)
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
        self.populate: list[float] = []  # [round], seconds
        self.huge_kib = 0  # still in huge pages after the last interval
        self.intervals: list[Interval] = []
        self.values: list[list[float]] = []  # [round][phase], seconds per interval
        self.warmups: list[list[float]] = []
        self.refused = ""

    @property
    def label(self) -> str:
        """As in benchmark names."""
        return self.interface.name + (" atomic" if self.atomic else "")

    def measure(self, point: Point, pattern: Pattern, layout: Layout, cpus: list[int]) -> None:
        """One round: a fresh mapping, the warmup interval, then the timed ones.

        A kernel without memory or VMAs left for this interface at this point refuses it, and the others go on.
        """
        warmups = 0 if point.first else WARMUPS
        try:
            with ExitStack() as stack:
                mapping = stack.enter_context(Mapping(point.pages, layout))
                tracker = stack.enter_context(Tracker(self.interface.table, mapping, point.ask))
                writers = None
                if not point.external and (point.writers > 1 or point.concurrent):
                    shared = point.sharing == "shared"
                    writers = stack.enter_context(Writers(mapping, pattern, point.writers, shared=shared, cpus=cpus))
                concurrent = bool(point.concurrent)
                found = tracker.run(
                    pattern, warmups + point.loops, atomic=self.atomic, writers=writers, concurrent=concurrent
                )
                if KINDS[point.kind].huge:
                    self.huge_kib = mapping.huge_kib()
        except OSError as error:
            if error.errno not in REFUSED or not self.interface.tracks:
                raise
            self.refused = f"{error.filename} failed: {error.strerror}"
            return
        self.intervals += found
        self.populate.append(int(mapping.struct.populate_ns) / 1e9)
        if warmups:
            self.warmups.append(self._mean(found[:warmups]))
        self.values.append(self._mean(found[warmups:]))

    def _mean(self, intervals: list[Interval]) -> list[float]:
        columns = ("dirty_ns", "collect_ns") if self.atomic else ("reset_ns", "dirty_ns", "collect_ns")
        return [sum(getattr(i, column) for i in intervals) / len(intervals) / 1e9 for column in columns]

    def record(self, pattern: Pattern, *, populate: bool) -> dict[str, Any]:
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
        if any(i.overlapped for i in self.intervals):
            found["overlapped"] = sum(i.overlapped for i in self.intervals)
        if populate:
            found["phases"]["populate"] = {"values": [max(took, 1e-9) for took in self.populate], "warmups": []}
        if extra or missed:
            found["wrong"] = wrong_intervals(self.intervals)
        if self.huge_kib:
            found["huge_kib_left"] = self.huge_kib
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


def file_system(directory: str) -> str:
    """Return the type of the file system that a directory is on: tmpfs, ext4."""
    path, best, kind = os.path.realpath(directory) + "/", "", "unknown"
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            where, what = line.split()[1:3]
            if path.startswith(where.rstrip("/") + "/") and len(where) >= len(best):
                best, kind = where, what
    return kind


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Measure one point across the interfaces, in rounds shuffled by the seed."""
    point = Point(*job["point"])
    seed = job["seed"] + job["process"]
    gc.disable()
    cpu = max(os.sched_getaffinity(0))
    others = sorted(os.sched_getaffinity(0) - {cpu}) or [cpu]
    os.sched_setaffinity(0, {cpu})  # a migration in mid-interval is nobody's cost
    start, date = time.monotonic(), time.strftime("%Y-%m-%d %H:%M:%S")
    pattern = Pattern(point.order(seed), point.watched)
    rows = [interfaces.find(name) for name in job["interfaces"]]
    # the first interval that an atomic form times is the second: a reset has come before it
    forms = (False,) if point.first else (False, True)
    series = [Series(row, atomic) for row in rows for atomic in forms if row.atomic or not atomic]
    hold_memory(point.ballast)
    memory = own_memory()
    layout = point.layout(job["directory"], others[0])
    for turn in range(job["values"]):
        for i in sample(len(series), len(series), seed * 1000 + turn):
            if not series[i].refused:
                series[i].measure(point, pattern, layout, [*others, cpu])
    return {
        "type": "worker",
        "point": job["point"],
        "process": job["process"],
        "metadata": memory
        | {
            "worker_bytes": peak_memory() - (0 if point.external else point.mapped_bytes) - point.ballast,
            "writes": pattern.writes,
            "written_pages": pattern.written,
            "cpu_affinity": str(cpu),
            "other_cpus": ",".join(map(str, others)),
            "watched_pages": point.watched,
            "date": date,
            "duration": time.monotonic() - start,
        },
        "file_system": file_system(job["directory"]) if point.kind.startswith("file") else "",
        "series": [one.record(pattern, populate=bool(point.first)) for one in series if one.values],
        "refused": {one.label: one.refused for one in series if one.refused},
    }


def probe(plan: dict[str, Any]) -> tuple[dict[tuple[str, int], list[str]], dict[str, interfaces.Reason]]:
    """Try the plan's interfaces on every sort of memory it has.

    Returns which can be measured, by Point.elsewhere, and why others can't: by interface; by `NAME on KIND`, where
    only that memory is the trouble; by the memory alone, where nothing can be measured there.
    """
    names: list[str] = plan["interfaces"]
    usable: dict[tuple[str, int], list[str]] = {}
    base = {name: interfaces.probe(interfaces.find(name)) for name in names}
    reasons = {name: why for name, why in base.items() if why}
    for kind, external in dict.fromkeys(Point(*point).elsewhere for point in plan["points"]):
        found = dict(base)
        layout = ANON._replace(kind=kind, directory=plan["directory"], outside=-1 if external else None)
        where = " of ".join(["another process"] * external + [kind] * (kind != ANON.kind or not external))
        if layout != ANON._replace(directory=layout.directory):
            largest = max(Point(*point).huge_pages for point in plan["points"]) * 512 if kind == "hugetlb" else 0
            lacking = interfaces.probe(interfaces.find("none"), layout, largest)
            if lacking:
                reasons[where] = lacking
                found = dict.fromkeys(names, lacking)
            for name in (name for name in names if not found[name]):
                found[name] = interfaces.probe(interfaces.find(name), layout)
                if why := found[name]:
                    reasons[f"{name} on {where}"] = why
        left = [name for name in names if not found[name]]
        usable[kind, external] = left if any(interfaces.find(name).tracks for name in left) else []
    return usable, reasons


def serve(plan: dict[str, Any]) -> int:
    """Run a plan: first the machine and what it can measure, then every worker, one process each."""
    import subprocess  # noqa: PLC0415  (as pyperf, which host needs: seconds of start-up under TCG, for no worker)

    from bench import host  # noqa: PLC0415

    host.settle()
    if plan.get("huge_pages"):  # asked for only in guests, which are ours
        with open("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "w") as reserved:
            reserved.write(str(plan["huge_pages"]))
    usable, reasons = probe(plan)
    left = [point for point in plan["points"] if usable[Point(*point).elsewhere]]
    unavailable = {what: list(why) for what, why in reasons.items()}
    say(
        {
            "type": "host",
            "metadata": host.record(),
            "unavailable": unavailable,
            "measurable": len(left) / len(plan["points"]),
        }
    )
    if not left:
        return 0  # the runner has the reasons, and says them
    for process in range(*plan["processes"]):
        for point in plan["points"]:
            names = usable[Point(*point).elsewhere]
            if not names:
                say({"type": "skipped", "point": point})
                continue
            job = {"point": point, "process": process, "interfaces": names}
            job |= {key: plan[key] for key in ("seed", "values", "directory")}
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
