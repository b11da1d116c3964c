# SPDX-License-Identifier: GPL-2.0-only
"""Joins results of one kernel: of several machines, or of several boots of one.

Any number of them: one is in memory at a time. Each is read twice, since the plan of all comes first.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import place
from bench.errors import BadInput
from bench.plan.plan import MOST_JOBS, MOST_PROCESSES, Plan
from bench.plan.records import LONGEST_WORDS, Facts, Machine, Record, Timed
from bench.run import commands
from bench.run.folders import new
from bench.run.tell import note
from bench.store import log

SAME_KERNEL = ("kernel_release", "kernel_version", "kernel_sha256", "architecture", "where")
SAME_PLAN = ("seed", "append", "memory", "cpus", "qemu_args")
NAMELESS = ("", "(none)", "localhost")  # hosts that have no name of their own


class Part(NamedTuple):
    """A result to be merged."""

    name: str
    path: Path  # of its log
    plan: Plan
    facts: Facts  # of its first boot


def merge(names: Sequence[str], into: str) -> None:
    """Join results into a new one. Raises BadInput for results that are not of one suite, kernel and kind."""
    if len(names) < 2:
        raise BadInput("merge joins two results or more", "./bench.py list names those there are")
    folders = [commands.existing(name) for name in names]
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise BadInput("a result is given twice", "give different ones")
    target = commands.result_folder(into)
    parts = [_read(folder) for folder in folders]
    for part in parts[1:]:
        _check(parts[0], part)
    plan, machines = _plan(parts, names, into), _machines(parts)
    with new(target):
        log.write(target, _joined(plan, parts, machines))
    found = len(set(machines))
    of = f" of {found} machines" if found > 1 else ""
    note(f"{target.name}: {plan.boots} boots{of}; ./bench.py report {place.called(target)} shows them")


def _read(folder: Path) -> Part:
    path = log.find(folder)
    if path is None:
        raise BadInput(f"{folder.name} has no {log.FILE}", "results of older versions can't be merged: measure again")
    found, _ = log.read(path)
    plan = found[0] if found else None
    if not isinstance(plan, Plan) or not any(isinstance(one, Timed) for one in found):
        raise BadInput(
            f"{folder.name} has no times", "merge joins results that have; report takes several of the others"
        )
    facts = next(one.facts for one in found if isinstance(one, Machine))
    return Part(log.name_of(folder), path, plan, facts)


def _check(first: Part, other: Part) -> None:
    """Raise BadInput where two results did not measure the same."""
    for what, one, two in (
        ("suites", first.plan.suite, other.plan.suite),
        ("points", first.plan.points, other.plan.points),
        ("interfaces", first.plan.interfaces, other.plan.interfaces),
        ("values of a process", first.plan.values, other.plan.values),
        *((key, getattr(first.plan, key), getattr(other.plan, key)) for key in SAME_PLAN),
        ("quantities", first.plan.counted, other.plan.counted),
        *((key.replace("_", " "), first.facts.get(key), other.facts.get(key)) for key in SAME_KERNEL),
    ):
        if one != two:
            shown = "" if isinstance(one, tuple) else f": {one}, and {two}"
            raise BadInput(
                f"{first.name} and {other.name} have different {what}{shown}",
                "merge joins results of one kernel; ./bench.py compare takes those of two",
            )


def _machines(parts: Sequence[Part]) -> list[str]:
    """Return which machine each result is of, by a name that other results of it have too; empty for only one machine.

    That is its host's name; guests have none, and are known by their CPU.
    """
    found = []
    for part in parts:
        host = str(part.facts.get("hostname", ""))
        model = f"{part.facts.get('cpu_model_name', 'unknown CPU')}, {part.facts.get('cpu_count', '?')} CPUs"
        found.append(host if host not in NAMELESS else f"{part.facts.get('where')} on {model}")
    return found if len(set(found)) > 1 else [""] * len(parts)


def _plan(parts: Sequence[Part], names: Sequence[str], into: str) -> Plan:
    """The plan of all: that of the first, with the boots and processes of the others."""
    processes = sum(part.plan.processes for part in parts)
    most = min(MOST_PROCESSES, MOST_JOBS // max(1, len(parts[0].plan.points)))
    if processes > most:
        raise BadInput(
            f"together they have {processes} processes, and a result of so many points has at most {most}",
            "merge fewer; or query what ./bench.py report NAME --format csv prints of each, in DuckDB for example",
        )
    command = shlex.join(["./bench.py", "merge", *names, "--name", into])
    return parts[0].plan._replace(
        boots=sum(part.plan.boots for part in parts),
        processes=processes,
        command=command if len(command) <= LONGEST_WORDS else f"./bench.py merge RESULT... --name {shlex.quote(into)}",
        merged=tuple(part.name for part in parts),
        least_boots=0,
        until=0.0,
        matrix=(),
    )


def _joined(plan: Plan, parts: Sequence[Part], machines: Sequence[str]) -> Iterator[Record]:
    """Yield the plan and the records of all, reading one after the other."""
    yield plan
    boots = processes = 0
    for part, machine in zip(parts, machines, strict=True):
        yield from _renumbered(part, boots, processes, machine)
        boots, processes = boots + part.plan.boots, processes + part.plan.processes


def _renumbered(part: Part, boots: int, processes: int, machine: str) -> Iterator[Record]:
    """Yield the records of a result, behind so many boots and processes of others."""
    for one in log.read(part.path)[0]:
        if isinstance(one, Plan):
            continue
        if isinstance(one, Machine):
            named: Facts = {"machine": machine} if machine else {}
            yield one._replace(boot=one.boot + boots, facts=one.facts | named)
        elif isinstance(one, Timed):
            yield one._replace(boot=one.boot + boots, process=one.process + processes)
        else:
            yield one._replace(boot=one.boot + boots)
