# SPDX-License-Identifier: GPL-2.0-only
"""Settles a request into a plan, once: where, what, how often, and what contradicts itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.machinery import EXTENSION_SUFFIXES

from bench import place
from bench.errors import BadInput, Unsupported
from bench.plan import arches, catalogue, interfaces, suites
from bench.plan.grids import grid
from bench.plan.interfaces import UNTRACKED
from bench.plan.kinds import DIRECTORY, KINDS, PAGE_SIZE
from bench.plan.plan import Plan
from bench.plan.points import Point, matches, matching
from bench.plan.suites import Suite
from bench.run.options import GUEST, HERE, UpTo
from bench.run.request import (
    BOOTS,
    COUNTED_BOOTS,
    LEAST_BOOTS,
    MOST_PROCESSES,
    QUICK,
    RIGOROUS,
    UNTIL_BOOTS,
    UNTIL_PROCESSES,
    Request,
)

OWN = "own"  # the suite of points that were asked for one by one
OWN_WORKLOAD, OWN_PAGES, OWN_DIRTY = "random", 10_240, 10.0  # of them, where nothing else is said; 20 huge pages
Say = Callable[[str], None]
Counts = Callable[[Request], bool]


def need_core() -> None:
    """Raise Unsupported where the C core was not built, or before its sources were changed."""
    import bench.measure.core  # noqa: PLC0415, F401  (readers work without it; it says what is missing)

    if place.INSTALLED:  # with its sources, whose times are those of the installation
        return
    core = place.ROOT / "bench/core"
    built = max(path.stat().st_mtime for path in core.glob(f"_core{EXTENSION_SUFFIXES[0]}"))
    sources = [path for path in core.rglob("*") if path.suffix in (".c", ".h") and path.stem != "_core"]
    if late := [path.name for path in sources if path.stat().st_mtime > built]:
        raise Unsupported(f"the C core is older than its sources ({', '.join(sorted(late)[:3])})", "run: make setup")


def defaults(suite: Suite, where: str, *, counted: bool) -> tuple[int, int]:
    """Return how many processes and boots there are, unless something else is asked for."""
    if where != "vm" or not suite.points:
        return suite.processes, 1
    if counted:
        return COUNTED_BOOTS, UpTo(LEAST_BOOTS, COUNTED_BOOTS)
    return suite.processes, min(suite.processes, BOOTS)


def changed(request: Request, suite: Suite, *, counted: bool) -> tuple[int, int]:
    """Return the processes and boots of defaults(), fewer or more where --quick, --rigorous or --until asks for it."""
    processes, boots = defaults(suite, request.where, counted=counted)
    several = boots > 1
    if request.quick:
        few = LEAST_BOOTS if counted else QUICK
        processes = min(processes, few)
        return processes, processes if several else 1
    if request.rigorous:
        return RIGOROUS * processes, RIGOROUS * int(boots) if several else 1
    if request.until:
        more = 1 if counted else UNTIL_BOOTS if several else UNTIL_PROCESSES
        return min(more * processes, MOST_PROCESSES), more * int(boots) if several else 1
    return processes, boots


def runnable(suite: Suite, cpus: int) -> list[Point]:
    """Return the suite's points, less those for more CPUs; of one too: two threads get in each other's way there."""
    return [point for point in suite.points if not suite.by_cpus or point.threads <= max(2, cpus)]


def fitting(points: Sequence[Point], free: int) -> list[Point]:
    """Return the points that need no more than half of the memory that is free; all, if none does."""
    return [point for point in points if point.bytes_needed <= free // 2] or list(points)


def free_memory() -> int:
    """Return the bytes of memory that can be had without swapping."""
    import psutil  # noqa: PLC0415  (--help needs none of it)

    try:
        return int(psutil.virtual_memory().available)
    except (KeyError, OSError, ValueError):
        raise Unsupported(
            "this machine does not say how much memory is free", "is /proc mounted, and /proc/meminfo readable?"
        ) from None


def _fits(row: interfaces.Interface, points: Sequence[Point]) -> None:
    """Raise BadInput for an interface that was named and is measured at none of the points."""
    if not row.baseline and not any(point.forms([row]) for point in points):
        other = (
            f"give --then {row.instead}" if row.instead == "copy" else "leave it out, or --then, --life or --concurrent"
        )
        raise BadInput(f"{row.name} can do nothing at these points", other)


def _suited(request: Request, points: Sequence[Point], say: Say) -> tuple[Point, ...]:
    """Return the points that a guest of the architecture can measure: of a suite's there may be others.

    Raises BadInput for what was asked for by name and no kernel of it can do.
    """
    if request.where == "here":  # its kernel says itself what it has
        return tuple(points)
    arch = arches.find(request.arch)
    for row in map(interfaces.find, request.interface):
        if why := arches.lacking(arch.machine, row.options):
            raise BadInput(f"{row.name} can't be measured on {arch.name}: {why}", f"leave out --interface {row.name}")
    any_size = [point for point in points if not KINDS[point.kind].folio and KINDS[point.kind].unit == 1]
    if arch.page_size == PAGE_SIZE or len(any_size) == len(points):
        return tuple(points)
    why = (
        f"folios and huge pages are measured in pages of {PAGE_SIZE >> 10} KiB, and those of {arch.name} have "
        f"{arch.page_size >> 10} KiB"
    )
    if request.own_points or not any_size:
        raise BadInput(why, f"{'leave out --kind' if request.own_points else 'take another suite'}, or another --arch")
    say(f"{len(points) - len(any_size)} of {len(points)} points left out: {why}.")
    return tuple(any_size)


def settle(request: Request, say: Say, echo: Say, counts: Counts | None = None) -> Plan:
    """Decide what was left open. Raises BadInput for unknown names, and for what contradicts itself or can't be.

    `say` hears why, `echo` what takes a while. counts: says whether a guest's clock will count instructions, where that
    is not to be found out.
    """
    suite = suites.find(request.suite)
    request.refuse()
    names = _interfaces(request, suite)
    points = _points(request, suite, say) if suite.points else []
    for name in request.interface if points else ():
        _fits(interfaces.INTERFACES[name], points)
    scenarios = () if suite.points else tuple(_scenarios(request.pattern, names))
    request = _placed(request, say)
    suited = _suited(request, points, say)
    request = _often(request, suite, say, counts or (lambda placed: _counted(placed, echo)))
    return Plan(
        suite=OWN if request.own_points else request.suite,
        command=request.command,
        version=str(place.version()),
        interfaces=names,
        optional=_optional(request, names),
        points=suited,
        scenarios=scenarios,
        processes=request.processes or 1,
        values=request.values or 1,
        boots=int(request.boots or 1),
        least_boots=request.boots.least if isinstance(request.boots, UpTo) else 0,
        until=float(request.until or 0),
        seed=request.seed,
        directory=request.directory or DIRECTORY,
        where=request.where,
        kernel=request.kernel or "",
        arch=request.arch,
        accel=request.accel if request.where == "vm" else "",
        append=request.append or "",
        memory=int(request.memory or 0),
        cpus=request.cpus or 0,
        qemu_args=request.qemu_args,
        date=time.strftime("%Y-%m-%d %H:%M:%S"),
    )


def usual(suite: Suite, free: int) -> Plan:
    """Return what a suite does on the running kernel where nothing else is asked for, with so much free memory."""
    request = Request(suite=suite.name, where="here")
    names = _interfaces(request, suite)
    scenarios = () if suite.points else tuple(catalogue.scenarios(*_properties(names)))
    return Plan(
        suite=suite.name,
        command=request.command,
        version=str(place.version()),
        interfaces=names,
        optional=_optional(request, names),
        points=tuple(fitting(runnable(suite, len(os.sched_getaffinity(0))), free)),
        scenarios=scenarios,
        processes=suite.processes,
        values=suite.values,
    )


def _interfaces(request: Request, suite: Suite) -> tuple[str, ...]:
    """Return the interfaces to measure, in the table's order: the baseline too, where there are times."""
    timed = bool(suite.points)
    rows = list(interfaces.INTERFACES.values())
    then = set(filter(None, request.settings.get("then", ()))) if request.own_points else set()
    usual = [
        row.name
        for row in rows
        if row.prop == interfaces.WRITTEN and (not row.instead or row.instead in then) and not (timed and row.path_of)
    ]
    chosen = [interfaces.find(name).name for name in request.interface] or suite.interfaces or usual
    rows = [row for row in rows if row.name in chosen]
    tracking = tuple(row.name for row in rows if row.tracks or (timed and row.instead))
    if not tracking:
        what = "a measurement" if timed else "a scenario"
        raise BadInput(f"{what} needs an interface that tracks", f"leave out --interface {UNTRACKED}, or add another")
    return (UNTRACKED, *tracking) if timed else tracking


def _optional(request: Request, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those that are measured where the kernel has them, and not missed where not: drafts, unless asked for."""
    return () if request.interface else tuple(name for name in names if interfaces.INTERFACES[name].draft)


def _points(request: Request, suite: Suite, say: Say) -> list[Point]:
    """Return the suite's points, or a grid where its axes were given, as far as memory allows."""
    points = runnable(suite, request.cpus or len(os.sched_getaffinity(0)))
    if (many := len(suite.points) - len(points)) and not request.own_points:
        say(f"{many} of {len(suite.points)} points are for more CPUs than there are: left out.")
    if request.own_points:
        sizes, fractions = request.pages or [OWN_PAGES], request.dirty or [OWN_DIRTY]
        points = grid(request.workload or [OWN_WORKLOAD], sizes, fractions, **request.settings)
    points, free = matching(points, request.pattern), free_memory()
    if not request.pages:  # a suite's are made for any machine; what was asked for by number is refused below
        small = fitting(points, free)
        if len(small) < len(points):
            say(f"{len(points) - len(small)} of {len(points)} points need more than half of the free memory: left out.")
        points = small
    largest = max(points, key=lambda point: point.bytes_needed)
    if largest.bytes_needed > free:
        raise BadInput(
            f"{largest.name} needs {largest.bytes_needed >> 20} MiB, and {free >> 20} MiB are free",
            "give fewer --pages, or leave the largest out with --filter",
        )
    return points


def _properties(names: Sequence[str]) -> set[str]:
    """Return the properties that these interfaces report."""
    return {interfaces.INTERFACES[name].prop for name in names}


def _scenarios(pattern: str | None, names: Sequence[str]) -> list[str]:
    found = [name for name in catalogue.scenarios(*_properties(names)) if matches(name, pattern or "*")]
    if not found:
        raise BadInput(f"--filter {pattern!r} matches no scenario", "./bench.py list names them; try 'merge*'")
    return found


def _placed(request: Request, say: Say) -> Request:
    """Decide between the running kernel and a virtual machine, and which kernel that boots."""
    if request.directory and not os.access(request.directory, os.W_OK | os.X_OK):
        raise BadInput(f"no files can be made in {request.directory}", "give --directory one that you may write to")
    if request.where == "auto":
        where = "vm" if GUEST in request.asked else "here" if HERE in request.asked else _first_with_both(say)
        request = replace(request, where=where)
        request.refuse()
    if request.where == "here":
        return request
    from bench.vm import kernel  # noqa: PLC0415  (only a guest needs it)

    return replace(request, kernel=request.kernel or kernel.DEFAULT)


def _first_with_both(say: Say) -> str:
    """Return `here` if the running kernel has the legacy interface and the ioctl, else `vm`."""
    need_core()
    from bench.measure import probe  # noqa: PLC0415

    both = [next(row for row in interfaces.INTERFACES.values() if row.role == role) for role in ("legacy", "ioctl")]
    for row in both:
        if why := probe.probe(row).refused:
            say(f"In a virtual machine, because {row.name} doesn't work on the running kernel: {why.why}.")
            return "vm"
    say(f"On the running kernel, because it has {' and '.join(row.name for row in both)}.")
    return "here"


def _often(request: Request, suite: Suite, say: Say, counts: Counts) -> Request:
    """Decide how many processes, values and boots there are."""
    open_ = request.where == "vm" and suite.points and not (request.processes and request.boots)
    counted = bool(open_) and counts(request)
    processes, boots = changed(request, suite, counted=counted)
    if request.boots:
        boots = request.boots
        processes = request.processes or (int(boots) if counted else boots * -(-processes // boots))
    elif request.processes:
        processes = request.processes
        if processes % boots:
            boots = max(n for n in range(1, min(boots, processes) + 1) if processes % n == 0)
    if processes % boots:
        fewer, more = processes - processes % boots, processes - processes % boots + boots
        raise BadInput(
            f"{processes} processes can't be shared equally by {boots} boots",
            f"give --processes {f'{fewer} or ' if fewer else ''}{more}, or other --boots",
        )
    counts_nothing = request.where == "here" or (bool(open_) and not counted)
    least = QUICK if counts_nothing else LEAST_BOOTS
    if request.until and (most := int(boots if boots > 1 else processes)) < least:
        what = "boots" if boots > 1 else "processes"
        raise BadInput(f"--until {request.until} takes {least} {what}, and {most} are the most", f"give more --{what}")
    if request.quick or request.rigorous:
        usual, several = defaults(suite, request.where, counted=counted)
        beside = f" in {boots} boots, not {several}" if request.where == "vm" else ""
        say(f"--{'quick' if request.quick else 'rigorous'}: {processes} processes of each point, not {usual}{beside}.")
    return replace(request, processes=processes, boots=boots, values=request.values or suite.values)


def _counted(request: Request, echo: Say) -> bool:
    """Whether the virtual machine's clock will count instructions."""
    from bench.run import machines  # noqa: PLC0415  (only a guest needs it)
    from bench.vm import kernel, qemu  # noqa: PLC0415

    arch = arches.find(request.arch)
    qemu.need(request.accel, arch)
    image = kernel.find(request.kernel, echo=echo, arch=arch)
    return qemu.accelerator(request.accel, image.path, machines.GUEST_PACKAGES, echo, arch=arch).counted
