# SPDX-License-Identifier: GPL-2.0-only
"""`make soak`: an hour of mixed jobs in one server of workers, then many boots of guests. What grows, or is left?

Status 1 where the server or the runner grew, where something was left behind, or a result was lost.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from bench.plan import catalogue, records
from bench.plan.interfaces import INTERFACES
from bench.plan.kinds import KINDS
from bench.plan.plan import Job, Plan, Play, Timing
from bench.plan.points import Point
from bench.plan.records import Failed, Machine, Played, Timed
from bench.run.machines import Here
from bench.store.log import find, read
from tests.faults.support import Lab

START_SECONDS = 600.0
SPARE_SECONDS = 60.0
KILL_EVERY = 97  # jobs
SAMPLE_SECONDS = 0.5
# What may grow: memory of a process that has done all kinds of jobs once, from there to the end; per boot what a run
# keeps of it: some 50 KiB of records, as Python has them, and what lies between.
KIB_GROWN, KIB_PER_BOOT = 1024, 128
SYSTEM = ("HugePages_Total", "HugePages_Free", "Shmem", "Mlocked")  # of /proc/meminfo, others' use included


class Held(NamedTuple):
    """What a process has: memory in KiB, and numbers of others."""

    rss: int
    pss: int
    descriptors: int
    threads: int
    maps: int
    children: int

    @classmethod
    def of(cls, pid: int) -> "Held":
        """Look it up now."""
        process, maps = psutil.Process(pid), Path(f"/proc/{pid}/maps")
        pss = next(line for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if "Pss:" in line)
        return cls(
            process.memory_info().rss >> 10, int(pss.split()[1]), process.num_fds(), process.num_threads(),
            len(maps.read_text().splitlines()), len(process.children()),
        )  # fmt: skip


def system() -> dict[str, int]:
    """What the machine has, by /proc/meminfo, and the files that are made for mappings."""
    lines = (line.replace(":", "").split() for line in Path("/proc/meminfo").read_text().splitlines())
    found = {line[0]: int(line[1]) for line in lines if line[0] in SYSTEM}
    return found | {"files in /dev/shm": len([*Path("/dev/shm").glob("pagemap-bench*")])}


def points() -> list[Point]:
    """Every kind of memory, and every way to write, track and ask."""
    usual = [Point("random", 1000, 10, kind=kind) for kind in KINDS if KINDS[kind].unit == 1]
    huge = [Point("random", 2048, 10, kind=kind) for kind in KINDS if KINDS[kind].unit > 1]
    plain = [Point(name, 1000, 10) for name, entry in catalogue.workloads().items() if entry.dirty_percent is None]
    more = [
        {"writers": 2}, {"writers": 2, "sharing": "shared"}, {"writers": 2, "concurrent": 1}, {"external": 1},
        {"external": 1, "concurrent": 1}, {"external": 1, "kind": "shmem"}, {"vmas": 8}, {"watch_percent": 30.0},
        {"populated_percent": 50.0}, {"populate": "read"}, {"populate": "madvise-read"}, {"populate": "none"},
        {"first": 1}, {"ballast": 16 << 20}, {"vec_len": 10}, {"max_pages": 50}, {"read_bytes": 4096},
        {"masks": "extra"}, {"prior_percent": 20.0}, {"bystanders": "fault"}, {"bystanders": "smaps"},
    ]  # fmt: skip
    base = Point("random", 1000, 10)
    return [*usual, *huge, *plain, *(base._replace(**one) for one in more), Point("sequential", 30_000, 1)]


REFUSED = (
    Point("random", 1000, 10, ballast=1 << 50),  # more memory than there is
    Point("random", 100_000, 10, vmas=100_000),  # more VMAs than a process may have
)


def jobs(plan: Plan) -> Iterator[tuple[Job, bool]]:
    """Yield jobs in turn, without end, and whether they are to fail."""
    tracking = [name for name in plan.interfaces if INTERFACES[name].tracks]
    scenarios = itertools.cycle([Play(one, name, plan.values) for one in plan.scenarios for name in tracking])
    for process in itertools.count():
        for point in plan.points:
            yield Timing(point, process), point in REFUSED
            yield next(scenarios), False


def kill_worker(server: int) -> None:
    """Kill the worker that the server is waiting for, once it is there."""
    end = time.monotonic() + SPARE_SECONDS
    while time.monotonic() < end:
        for child in psutil.Process(server).children():
            child.kill()
            return
        time.sleep(0.001)


class Done(NamedTuple):
    """What became of the jobs."""

    timed: int = 0
    played: int = 0
    failed: int = 0  # that were to
    lost: int = 0  # no result, though one was to come; or a result of something else


def do(server: Here, pid: int, job: Job, to_fail: bool, kill: bool, plan: Plan, machine: Machine, done: Done) -> Done:
    """Have one job done, and look whether its record is there and whole."""
    server.send(records.encode(job))
    killer = threading.Thread(target=kill_worker, args=(pid,)) if kill else None
    if killer:
        killer.start()
    limit = plan.seconds(job.point) if isinstance(job, Timing) else plan.values * SPARE_SECONDS
    record = records.decode(server.line(limit + SPARE_SECONDS, job.name) or "")
    if killer:
        killer.join()
    if isinstance(record, Failed) and (to_fail or kill) and record.job == job.name:
        return done._replace(failed=done.failed + 1)
    if isinstance(record, Played) and record.key == job.key and (kill or not any(one.failed for one in record.runs)):
        return done._replace(played=done.played + 1)
    if isinstance(record, Timed) and record.key == job.key:
        answered = {one.interface for one in record.series} | {form.split()[0] for form in record.refused}
        if answered >= {*machine.usable(plan.interfaces, record.point)}:
            return done._replace(timed=done.timed + 1)
    print(f"lost: {job.name}: {record}", file=sys.stderr)
    return done._replace(lost=done.lost + 1)


def table(title: str, before: dict[str, int], after: dict[str, int]) -> None:
    """Print what was before and after."""
    print(f"{title:32} {'before':>10} {'after':>10}")
    for what, value in before.items():
        print(f"  {what:30} {value:10} {after[what]:10}")


def named(who: str, held: Held) -> dict[str, int]:
    """For a table."""
    units = {"rss": "RSS, KiB", "pss": "Pss, KiB"}
    return {f"{who}: {units.get(what, what)}": value for what, value in held._asdict().items()}


def slope(values: list[int]) -> float:
    """KiB that each more of them is more, by least squares."""
    return statistics.linear_regression(range(len(values)), values).slope if len(values) > 1 else 0.0


def serve(minutes: float, lab: Lab) -> bool:
    """Have one server do jobs for so long; whether it is as it was, and lost none."""
    plan = Plan("soak", "", "", tuple(INTERFACES), (*points(), *REFUSED), tuple(catalogue.scenarios()), values=2)
    machine_before, done, sizes, end = system(), Done(), [], time.monotonic() + 60 * minutes
    with Here() as server:
        pid = server._process.pid
        server.send(records.encode(plan))
        server.send("0")
        machine = records.decode(server.line(START_SECONDS, "describing the machine") or "")
        assert isinstance(machine, Machine)
        possible = [(job, to_fail) for job, to_fail in itertools.islice(jobs(plan), 2 * len(plan.points)) if to_fail]
        before = None
        for number, (job, to_fail) in enumerate(jobs(plan)):
            if not to_fail and not machine.can(job, plan):
                continue
            if time.monotonic() > end and before:
                break
            done = do(server, pid, job, to_fail, number % KILL_EVERY == 0, plan, machine, done)
            sizes.append(Held.of(pid).rss)
            if before is None and sum(done) > 2 * len(plan.points) + len(possible):
                before, runner_before = Held.of(pid), Held.of(os.getpid())
                sizes.clear()
        after, runner_after = Held.of(pid), Held.of(os.getpid())
        server.send("")
        assert records.decode(server.line(START_SECONDS, "shutting down") or "")
        assert server.line(START_SECONDS, "shutting down") is None
    left = lab.left()
    rise = slope(sizes)
    print(f"one server, {minutes:g} minutes: {done.timed} timings, {done.played} plays, {done.failed} jobs that failed")
    print(f"on purpose, lost results {done.lost}; RSS {1000 * rise:+.1f} KiB per 1000 jobs; left behind: {len(left)}")
    table("", {**named("server", before), **named("runner", runner_before), **machine_before},
          {**named("server", after), **named("runner", runner_after), **system()})  # fmt: skip
    same = after[2:] == before[2:] and runner_after[2:] == runner_before[2:]
    small = max(after.rss - before.rss, after.pss - before.pss, runner_after.rss - runner_before.rss) < KIB_GROWN
    return bool(same and small and not left and not done.lost)


def boot(guests: int, lab: Lab) -> bool:
    """Measure a small plan in so many boots; whether the runner stayed small, and no boot lost a result."""
    words = ("--kernel", "debian:6.12", "--interface", "scan-wp", "--pages", 100, "--dirty", 10, "--values", 1)
    words = ("run", *words, "--processes", guests, "--boots", guests, "--name", lab.name())
    machine_before, samples = system(), []
    with (lab.folder / "run.log").open("w") as log:
        process = lab.start(*words, stdout=log, stderr=log)
        while process.poll() is None:
            with_boots = len([*lab.name().glob("guest*.log")])
            try:
                samples.append((with_boots, Held.of(process.pid)))
            except (psutil.Error, OSError, StopIteration):
                continue  # it is ending
            time.sleep(SAMPLE_SECONDS)
    found, _ = read(find(lab.name()) or lab.name())
    measured = [one for one in found if isinstance(one, Timed)]
    by_boot = [[one for one in measured if one.boot == number] for number in range(guests)]
    whole = sum(len(some) == 1 and {one.interface for one in some[0].series} >= {"scan-wp"} for some in by_boot)
    left = lab.left()
    tenth = max(2, guests // 10)
    first, last = ([held for boots, held in samples if low <= boots < high] for low, high in
                   ((tenth, 2 * tenth), (guests - tenth, guests)))  # fmt: skip
    before, after = ({what: int(statistics.median(getattr(one, what) for one in some)) for what in Held._fields}
                     for some in (first, last))  # fmt: skip
    rise = (after["rss"] - before["rss"]) / (guests - 2 * tenth)
    print(f"boots {guests}, lost results {guests - whole}; status {process.returncode}; RSS of the runner {rise:+.1f}")
    print(f"KiB per boot; left behind: {len(left)}")
    table("medians while two run", {**named("runner", Held(**before)), **machine_before},
          {**named("runner", Held(**after)), **system()})  # fmt: skip
    grown = after["descriptors"] > before["descriptors"] or after["threads"] > before["threads"] or rise > KIB_PER_BOOT
    return not (process.returncode or grown or left or whole < guests)


def main() -> int:
    """Do both, each as long as is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--guests", type=int, default=200)
    asked = parser.parse_args()
    good = []
    for amount, part in ((asked.minutes, serve), (asked.guests, boot)):
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            lab = Lab(Path(folder))
            os.environ.update(lab.env)
            try:
                if amount:
                    good.append(part(amount, lab))
            finally:
                lab.close()
                if amount and good[-1:] != [True] and (log := Path(folder, "run.log")).exists():
                    subprocess.run(["tail", "-n", "20", log])
    print("nothing grew, nothing was left" if all(good) else "something grew, was left or was lost")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
