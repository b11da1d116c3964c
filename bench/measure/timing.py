# SPDX-License-Identifier: GPL-2.0-only
"""Measures one point across all interfaces: a worker process, in it a process for each round of each form.

The rounds are forked from one image of the worker: every form's mapping comes to the same place of the same address
space, whatever the forms before it did. Imports little: a worker stays lean, since clear_refs walks all of it.
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.errors import BenchError, WorkerFailed
from bench.measure import isolated
from bench.measure.answers import different
from bench.measure.core import Bystander, Mapping, Noted, Pattern, Tracker, Writers, hold_memory, pin, sample
from bench.plan.interfaces import INTERFACES, Interface, form
from bench.plan.kinds import KINDS
from bench.plan.records import ANY, APART, POPULATE, Beside, Facts, Series, Timed, coded
from bench.plan.records import PHASES as ALL_PHASES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measure.core import Interval
    from bench.measure.folios import Folios
    from bench.plan.plan import Plan, Timing
    from bench.plan.points import Point

# No memory, no VMAs; or part of a hugetlb page, at which a walk with max_pages stops where it began.
REFUSED = (errno.ENOMEM, errno.ELOOP)
# What a bystander overlaps, in the order of struct latencies; and its pause where it shares the only CPU: less than
# most phases take, and several times what it does itself.
BESIDE = (*ALL_PHASES, APART, ANY)
PAUSE_US = 50
ALONE_SECONDS = 0.05  # that a bystander goes on without tracking
WARMUPS = 1  # intervals per fresh mapping: the first write-protects what was never protected


class Scene(NamedTuple):
    """What all rounds of a worker share."""

    point: Point
    pattern: Pattern
    directory: str
    counted: bool
    cpus: list[int]  # of this process, then the others
    folios: bool  # look at them between intervals

    @property
    def pause_us(self) -> int:
        """Of bystanders: only who shares a CPU with the tracker must let go of it."""
        return 0 if len(self.cpus) > 1 else PAUSE_US


def measure(job: Timing, plan: Plan, names: Sequence[str], boot: int) -> Timed:
    """Measure one point across the interfaces, in rounds shuffled by the seed. Raises WorkerFailed.

    It changes the process it runs in: pinned to a CPU, without garbage collection, with the point's ballast.
    """
    point, seed = job.point, plan.seed_of(job.process)
    gc.disable()
    cpus = _pinned()
    start, date = time.monotonic(), time.strftime("%Y-%m-%d %H:%M:%S")
    order = importlib.import_module(f"workloads.{point.workload}").order(point.populated, point.dirty, seed)
    order = point.overlapped(point.spread(order))
    pattern = Pattern(order, point.watched, point.reads(len(order)))
    scene = Scene(point, pattern, plan.directory, plan.counted, cpus, bool(plan.folios))
    hold_memory(point.ballast)
    forms = point.forms(INTERFACES[name] for name in names)
    rounds: dict[str, list[dict[str, Any]]] = {form(row.name, atomic): [] for row, atomic in forms}
    several = max(point.trackers, point.targets) > 1
    refused = {form(row.name, atomic): row.single for row, atomic in forms if several and row.single}
    ran = []
    for turn in range(plan.values):
        for i in sample(len(forms), len(forms), seed * 1000 + turn):
            row, atomic = forms[i]
            label = form(row.name, atomic)
            if label not in refused:
                found = _round(scene, row, atomic)
                if why := found.get("refused"):
                    refused[label] = why
                else:
                    rounds[label].append(found)
                    ran.append(label)
    measured = [(row, atomic) for row, atomic in forms if form(row.name, atomic) not in refused]
    series = [
        _series(row, atomic, some)._replace(beside=_beside(scene, some))
        for row, atomic in measured
        if (some := rounds[form(row.name, atomic)])
    ]
    seen: Facts = {}
    # Where phases overlap, events are nobody's; and no bystander is there while they are counted.
    if not (plan.counted or point.concurrent or point.bystanders):
        series, seen = _watched(scene, series, job.process, plan.share)
    own = (0 if point.external else point.mapped_bytes) + point.ballast
    memory: Facts = next((one["memory"] for some in rounds.values() for one in some), {})
    facts: Facts = {
        **memory,
        "worker_bytes": max([one["peak"] for some in rounds.values() for one in some], default=own) - own,
        "writes": scene.pattern.writes,
        "written_pages": scene.pattern.written,
        **({"accessed_pages": scene.pattern.accessed} if point.read_percent else {}),
        "watched_pages": point.watched,
        "cpu_affinity": str(cpus[0]),
        "other_cpus": ",".join(map(str, cpus[1:])),
        "rounds": ",".join(ran),
        "date": date,
        "duration": time.monotonic() - start,
        **seen,
    }
    if hidden := next((one["hidden"] for some in rounds.values() for one in some if "hidden" in one), ""):
        facts["orders_hidden"] = hidden
    if KINDS[point.kind].file:
        facts["file_system"] = file_system(plan.directory)
    return Timed(boot, point, job.process, series, refused, facts)


def _pinned() -> list[int]:
    """Pin this process to the last of its CPUs: a migration in mid-interval is nobody's cost. Return it and the others.

    The others are where writers go: this one too, where there is no other.
    """
    cpu = max(os.sched_getaffinity(0))
    others = sorted(os.sched_getaffinity(0) - {cpu})
    pin(cpu)
    return [cpu, *others]


def _round(scene: Scene, row: Interface, atomic: bool) -> dict[str, Any]:
    """One round in a process of its own. Raises WorkerFailed for what no refusal explains."""
    what = form(row.name, atomic)
    said, trouble = isolated.run(lambda say: say(_intervals(scene, row, atomic)), scene.point.round_seconds, what)
    if trouble or not said:
        raise WorkerFailed(f"{what}: {trouble or 'it said nothing'}", "the messages above say more")
    if failed := said[0].get("failed"):
        raise WorkerFailed(f"{what}: {failed}")
    return dict(said[0])


def _intervals(scene: Scene, row: Interface, atomic: bool) -> dict[str, Any]:
    """A fresh mapping, the warmup interval, then the timed ones, and what they were: what a round says."""
    point = scene.point
    warmups = 0 if point.first else WARMUPS
    memory = _own_memory()
    try:
        with ExitStack() as stack:
            mapping, tracker, writers = _staged(stack, scene, row)
            seen = _followed(stack, mapping) if scene.folios else None
            how: dict[str, Any] = {"atomic": atomic, "writers": writers, "concurrent": bool(point.concurrent)}
            lived: dict[str, float] = {}
            count = warmups + point.loops
            bystander = _bystander(stack, scene, tracker, count, atomic=atomic, warmups=warmups)
            if point.life:
                life, found = tracker.live(scene.pattern, count, **how, busy=point.life == "busy")
                lived = {phase: float(life[phase]) for phase in point.life_phases(row)}
            else:
                found = tracker.run(scene.pattern, count, **how, warmups=warmups)
            if bystander and not row.tracks:
                time.sleep(ALONE_SECONDS)  # what is compared with must not have seen fewer operations than the others
            return {
                "beside": list(bystander.stop()) if bystander else [],
                "warmup": _value(found[:warmups], row, atomic, scene),
                "value": _value(found[warmups:], row, atomic, scene) | lived,
                "populate": int(mapping.struct.populate_ns),
                "example": different(wrong) if (wrong := scene.pattern.example()) else "",
                "rhythm": [sum(i.periods for i in found), sum(i.late for i in found)],
                "intervals": [list(one) for one in coded([(i.extra, i.missed, i.overlapped) for i in found])],
                "huge_kib": mapping.huge_kib() if KINDS[point.kind].huge else 0,
                "vmas": mapping.vmas(),
                **_orders(seen),
                "memory": memory,
                "peak": _peak_memory(),
            }
    except OSError as error:
        kind = "refused" if error.errno in REFUSED and not row.baseline else "failed"
        return {kind: f"{error.filename} failed: {error.strerror}"}
    except (BenchError, MemoryError) as error:
        return {"failed": str(error) or "out of memory"}


def _staged(
    stack: ExitStack, scene: Scene, row: Interface, *, opened: bool = False
) -> tuple[Mapping, Tracker, Writers | None]:
    """Make what a round needs: a fresh mapping, who tracks it, and who writes it besides this thread.

    opened: whoever tracks it is open even where a life is measured, which opens it itself.
    """
    point = scene.point
    cpu, *others = scene.cpus
    mapping = stack.enter_context(Mapping(point.pages, point.layout(scene.directory, [*others, cpu])))
    opened = opened or not point.life
    tracker = stack.enter_context(Tracker(row.name, mapping, point.ask, others, opened=opened))
    if point.prior and row.tracks:
        tracker.reset_part(point.prior)
    if point.external or point.alone:
        return mapping, tracker, None
    shared, cpus = point.sharing == "shared", [*others, cpu]
    writers = Writers(mapping, scene.pattern, point.writers, shared=shared, cpus=cpus, rhythm=point.rhythm)
    return mapping, tracker, stack.enter_context(writers)


def _bystander(
    stack: ExitStack, scene: Scene, tracker: Tracker, count: int, *, atomic: bool, warmups: int
) -> Bystander | None:
    """Let somebody stand by, where the point wants it: on a CPU of its own, or in turn with the tracker."""
    point = scene.point
    if not point.bystanders:
        return None
    # The last CPU: a tracked process and a handler's thread have the first ones besides the tracker's.
    where = {"cpu": scene.cpus[-1], "pause_us": scene.pause_us}
    return stack.enter_context(Bystander(tracker, point.bystanders, count, atomic=atomic, warmups=warmups, **where))


def _beside(scene: Scene, rounds: list[dict[str, Any]]) -> Beside:
    """What bystanders noted in all rounds of a form."""
    noted = [Noted(*one["beside"]) for one in rounds if one["beside"]]
    if not noted:
        return Beside()
    counts: dict[str, dict[str, int]] = {}
    longest: dict[str, int] = {}
    for i, name in enumerate(BESIDE):
        found: dict[int, int] = {}
        for one in noted:
            for at, n in one.counts[i].items():
                found[int(at)] = found.get(int(at), 0) + n
        if found:
            counts[name] = {str(at): found[at] for at in sorted(found)}
            longest[name] = max(one.most[i] for one in noted)
    ended, took = sum(one.ended for one in noted), sum(one.ended_ns for one in noted)
    return Beside(counts, longest, ended, took, scene.pause_us, int(all(one.urgent for one in noted)))


def _followed(stack: ExitStack, mapping: Mapping) -> Folios | OSError:
    """Look at the mapping's folios from now on; or why that can't be."""
    from bench.measure.folios import Folios  # noqa: PLC0415  (of few points)

    try:
        seen = stack.enter_context(Folios(mapping))
    except OSError as error:
        return error
    seen.follow()
    return seen


def _orders(seen: Folios | OSError | None) -> dict[str, Any]:
    """What was seen of folios: fields of Series, or why nothing was."""
    if seen is None:
        return {}
    if isinstance(seen, OSError):
        return {"hidden": f"{seen.filename}: {seen.strerror}"}
    return {"orders": {"orders_before": seen.before, "orders_after": seen.after}, "orders_changed": seen.changed}


def _watched(scene: Scene, series: list[Series], process: int, share: int) -> tuple[list[Series], Facts]:
    """Return the series with events or samples, of rounds that are not timed, if it is the turn of this process.

    With it what went wrong, which is nothing that a measurement would have to fail for.
    """
    from bench.measure import events  # noqa: PLC0415  (no part of a worker that measures)

    watch = events.turn(process, share)
    if not watch:
        return series, {}
    found = []
    for one in series:
        took = sum(values[-1] for phase, values in one.values.items() if phase != POPULATE)
        count = events.loops(watch, scene.point.loops, took, first=scene.point.first)
        found.append(_observed(scene, one, watch, count))
    trouble = "; ".join(dict.fromkeys(why for one in found for why in one["trouble"]))
    samples = [one.get("samples", {}) for one in found]
    named = events.named(samples) if any(samples) else samples
    series = [
        one._replace(counters=seen.get("counters", {}), samples=some)
        for one, seen, some in zip(series, found, named, strict=True)
    ]
    return series, {"events_trouble": trouble} if trouble else {}


def _observed(scene: Scene, one: Series, watch: str, count: int) -> dict[str, Any]:
    """A round with events on, in a process of its own."""
    row, warmups = INTERFACES[one.interface], 0 if scene.point.first else WARMUPS

    def work(say: isolated.Say) -> None:
        from bench.measure.events import Events  # noqa: PLC0415

        try:
            with ExitStack() as stack:
                events = stack.enter_context(Events(watch))  # before threads and processes that it is to count too
                _, tracker, writers = _staged(stack, scene, row, opened=True)
                events.run(tracker, scene.pattern, warmups + count, atomic=one.atomic, writers=writers, warmups=warmups)
                phases = scene.point.phases(row, one.atomic)
                say({"counters": events.counters(phases, count), "samples": events.samples(),
                     "trouble": events.trouble()})  # fmt: skip
        except (OSError, BenchError, MemoryError) as error:
            say({"trouble": [f"{watch}: {error}"]})

    said, trouble = isolated.run(work, scene.point.round_seconds, row.name)
    return {"trouble": [f"{watch}: {trouble}"]} if trouble or not said else dict(said[0])


def _value(intervals: list[Interval], row: Interface, atomic: bool, scene: Scene) -> dict[str, float]:
    """Nanoseconds of each phase that there is: the mean over intervals.

    The median where the clock counts instructions, of an even number the lower one: there intervals repeat, and a timer
    tick in one of them, which is no part of what is measured and only ever adds, would make 4 % of the mean.
    """
    columns = {"reset": "reset_ns", "dirty": "dirty_ns", "collect": "collect_ns", "collect_reset": "collect_ns",
               "act": "act_ns"}  # fmt: skip
    taken = {
        phase: sorted(getattr(i, columns[phase]) for i in intervals)
        for phase in scene.point.phases(row, atomic)
        if intervals
    }
    if scene.counted:
        return {phase: float(some[(len(some) - 1) // 2]) for phase, some in taken.items()}
    return {phase: sum(some) / len(some) for phase, some in taken.items()}


def _series(row: Interface, atomic: bool, rounds: list[dict[str, Any]]) -> Series:
    """All rounds of a form as one record."""
    runs = [(count, *pages) for one in rounds for count, pages in one["intervals"]]
    extra, missed, overlapped = (sum(run[0] * run[i] for run in runs) for i in (1, 2, 3))
    values, warmups = ({phase: [one[key][phase] for one in rounds] for phase in rounds[0][key]}
                       for key in ("value", "warmup"))  # fmt: skip
    if not rounds[0]["warmup"]:
        values[POPULATE] = [one["populate"] for one in rounds]
    every = [pages[:2] for one in rounds for count, pages in one["intervals"] for _ in range(count)]
    return Series(
        row.name,
        atomic,
        sum(run[0] for run in runs),
        extra,
        missed,
        values,
        warmups,
        wrong=" ".join(f"{count}x+{more}-{less}" for count, (more, less) in coded(every)) if extra or missed else "",
        overlapped=overlapped,
        huge_kib_left=rounds[-1]["huge_kib"],
        vmas_left=rounds[-1]["vmas"],
        example=next((one["example"] for one in rounds if one["example"]), ""),
        periods=sum(one["rhythm"][0] for one in rounds),
        late=sum(one["rhythm"][1] for one in rounds),
        orders_changed=sum(one.get("orders_changed", 0) for one in rounds),
        **rounds[-1].get("orders", {}),
    )


def _own_memory() -> Facts:
    """Return what clear_refs walks besides the mapping: this process, before it maps any."""
    with open("/proc/self/statm") as statm, open("/proc/self/maps", "rb") as maps:  # names of files may be no text
        resident, vmas = int(statm.read().split()[1]), sum(1 for _ in maps)
    return {"worker_resident_bytes": resident * os.sysconf("SC_PAGE_SIZE"), "worker_vmas": vmas}


def _peak_memory() -> int:
    """Return the most bytes that were ever resident in this process."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def file_system(directory: str) -> str:
    """Return the type of the file system that a directory is on: tmpfs, ext4; unknown in a root that is no mount."""
    path, best, kind = os.path.realpath(directory) + "/", "", "unknown"
    for char in "\\ \t\n":  # as fs/proc_namespace.c escapes them
        path = path.replace(char, f"\\{ord(char):03o}")
    with open("/proc/self/mounts", errors="surrogateescape") as mounts:  # names may be no text
        for line in mounts:
            where, what = line.split()[1:3]
            if path.startswith(where.rstrip("/") + "/") and len(where) >= len(best):
                best, kind = where, what
    return kind
