# SPDX-License-Identifier: GPL-2.0-only
"""What a run is going to do, settled: a frozen plan, its jobs, and the schedule of boots that share them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bench.plan.kinds import DIRECTORY
from bench.plan.points import Point

SCHEMA = "pagemap-bench 4"  # of records.jsonl; results/README.md says what each version held


class Timing(NamedTuple):
    """A job: one process measures one point with every interface that works there."""

    point: Point
    process: int

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.point.name}, process {self.process}"


class Play(NamedTuple):
    """A job: one process plays a scenario so many times with one interface."""

    scenario: str
    interface: str
    times: int

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.scenario} with {self.interface}"


Job = Timing | Play


class Plan(NamedTuple):
    """Everything that decides what is measured and how often. Settled once from a request, and never changed.

    `boots` share the processes of the points; scenarios are played in the first boot.
    """

    suite: str
    command: str  # that repeats it
    version: str  # of this suite of benchmarks
    interfaces: tuple[str, ...]
    points: tuple[Point, ...] = ()
    scenarios: tuple[str, ...] = ()
    processes: int = 1
    values: int = 1  # of a process; of a scenario how often it is played
    boots: int = 1
    seed: int = 0
    directory: str = DIRECTORY
    where: str = "here"
    kernel: str = ""  # as it was asked for
    accel: str = ""
    counted: bool = False  # the clock counts instructions
    date: str = ""
    schema: str = SCHEMA

    def jobs(self, boot: int) -> Iterator[Job]:
        """Yield what one boot does, in order."""
        first, end = (self.processes * i // self.boots for i in (boot, boot + 1))
        for process in range(first, end):
            for point in self.points:
                yield Timing(point, process)
        for scenario in self.scenarios if boot == 0 else ():
            for interface in self.interfaces:
                yield Play(scenario, interface, self.values)

    @property
    def cpus_needed(self) -> int:
        """One where nothing is done by two threads at once, else as many as can be had: 0."""
        return 0 if self.scenarios or not all(point.alone for point in self.points) else 1

    @property
    def huge_pages(self) -> int:
        """Pages of hugetlb that a machine which is ours must reserve."""
        return max([point.huge_pages for point in self.points], default=0) or 4 * bool(self.scenarios)

    @property
    def bytes_needed(self) -> int:
        """Of a worker at the largest point."""
        return max([point.bytes_needed for point in self.points], default=0)
