# SPDX-License-Identifier: GPL-2.0-only
"""What a run is going to do, settled: a frozen plan, its jobs, and the schedule of boots that share them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench.errors import BadInput
from bench.plan import arches, catalogue
from bench.plan.arches import USUAL
from bench.plan.kinds import DIRECTORY, KINDS, PAGE_SIZE, Kind
from bench.plan.points import Point

SCHEMA = "pagemap-bench 5"  # of records.jsonl; results/README.md says what each version held
READABLE = (SCHEMA, "pagemap-bench 4")  # the older one lacks records and fields, and has no others
# Of one plan: processes of each point, over all results that were merged; jobs, 1000 processes of as many points as
# options can ask for.
MOST_PROCESSES, MOST_JOBS = 100_000, 20_000_000

# Limits of waits, in seconds. For a machine to say what it is; more for each probe of an interface on some memory: it
# may hang and be killed; and for each page, where a probe takes all of the largest point.
START, PROBE, PAGE = 240.0, 22.0, 1e-4
PLAY = 45.0  # of the one play that hangs, of which the machine's own limit is below this
PLAY_MORE = 5.0  # of any other play of its job
ANSWER = 15.0  # beside the machine's own limit of a job, so that it can say itself what hung


class Timing(NamedTuple):
    """A job: one process measures one point with every interface that works there."""

    point: Point
    process: int

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.point.name}, process {self.process}"

    @property
    def key(self) -> tuple[object, object]:
        """What tells it from other jobs, as its record's key does."""
        return self.point, self.process


class Play(NamedTuple):
    """A job: one process plays a scenario so many times with one interface."""

    scenario: str
    interface: str
    times: int

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.scenario} with {self.interface}"

    @property
    def key(self) -> tuple[object, object]:
        """What tells it from other jobs, as its record's key does."""
        return self.scenario, self.interface


Job = Timing | Play


class Plan(NamedTuple):
    """Everything that decides what is measured and how often. Settled once from a request.

    Only its boots and processes change later: a result is extended, or is sure enough before it has all of them.
    `boots` share the processes of the points, each as many; scenarios are played in the first boot.
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
    arch: str = USUAL  # of the guest
    merged: tuple[str, ...] = ()  # names of the results that were joined
    matrix: tuple[str, ...] = ()  # names of the kernels that take turns, the base first
    accel: str = ""
    append: str = ""  # to the guest's kernel command line
    memory: int = 0  # MiB of the guest; 0: what the points need
    cpus: int = 0  # of the guest; 0: what the points need
    qemu_args: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()  # interfaces that nobody asked for, and nobody misses where a kernel lacks them
    counted: bool = False  # the clock counts instructions
    least_boots: int = 0  # that are enough where their medians agree; 0: all boots are wanted
    until: float = 0.0  # percent to which each cost is to be known, boots and processes are the most then; 0: no matter
    date: str = ""
    schema: str = SCHEMA

    def jobs(self, boot: int) -> Iterator[Job]:
        """Yield what one boot does, in order."""
        for process in range(boot * self.share, (boot + 1) * self.share):
            for point in self.points:
                yield Timing(point, process)
        for scenario in self.scenarios if boot == 0 else ():
            for interface in self.interfaces:
                if not catalogue.suits(scenario, interface):
                    continue
                yield Play(scenario, interface, min(self.values, catalogue.most_plays(scenario) or self.values))

    @property
    def expected(self) -> tuple[str, ...]:
        """The interfaces that are missed where a kernel lacks them."""
        return tuple(name for name in self.interfaces if name not in self.optional)

    @property
    def share(self) -> int:
        """Processes of one boot that measure a point."""
        return self.processes // self.boots

    def check_size(self) -> None:
        """Raise BadInput for more processes or jobs than a plan may have: it could not be read again."""
        jobs = len(self.points) * self.processes + len(self.scenarios) * len(self.interfaces)
        for count, what, most in ((self.processes, "processes", MOST_PROCESSES), (jobs, "jobs", MOST_JOBS)):
            if count > most:
                raise BadInput(
                    f"{count} {what} are more than the {most} of one plan", "give fewer points, --processes or --boots"
                )

    def with_boots(self, boots: int) -> Plan:
        """Return the plan with more or fewer boots like those it has. Raises BadInput for too many."""
        command = re.sub(r"--processes \d+", f"--processes {boots * self.share}", self.command)
        command = re.sub(r"--boots [-\d]+", f"--boots {boots}", command)
        plan = self._replace(boots=boots, processes=boots * self.share, command=command)
        plan.check_size()
        return plan

    def seconds(self, point: Point) -> float:
        """After so long a process that measures a point never ends: one round may hang, which ends by itself.

        That one may sleep in the kernel: it is waited for a while more. The others: one form in three is as slow as
        work_seconds says.
        """
        rounds = self.values * 2 * len(self.interfaces)
        return 15 + point.round_seconds + rounds * (0.3 + point.work_seconds / 3)

    def limit(self, job: Job) -> float:
        """Seconds after which a machine that has not answered a job never will: more than its own limits for it."""
        return PLAY + PLAY_MORE * job.times if isinstance(job, Play) else ANSWER + self.seconds(job.point)

    @property
    def start_limit(self) -> float:
        """Seconds after which a machine that has not said what it is never will, whatever its probes meet."""
        memories = {point.elsewhere_name for point in self.points}
        pages = max([point.pages for point in self.points if point.huge_pages], default=0)
        probes = len(self.interfaces) + (len(self.interfaces) + 1) * len(memories)
        return START + probes * (PROBE + pages * PAGE)

    def seed_of(self, process: int) -> int:
        """Return the seed of a process: it decides which pages are written, and the order of the forms.

        Counts of one boot are to be those of the next, so there each boot has the same seeds.
        """
        return self.seed + (process % self.share if self.counted else process)

    @property
    def cpus_needed(self) -> int:
        """One where nothing is done by two threads at once, else as many as can be had: 0."""
        alone = all(point.alone and point.threads == 1 and not point.bystanders for point in self.points)
        return 0 if self.scenarios or not alone else 1

    @property
    def huge_pages(self) -> int:
        """Pages of hugetlb that a machine which is ours must reserve."""
        return max([point.huge_pages for point in self.points], default=0) or 4 * bool(self.scenarios)

    @property
    def folios(self) -> list[Kind]:
        """Kinds of memory that consist of folios of one order. Where there are any, it is looked at at every point."""
        return [KINDS[name] for name in dict.fromkeys(point.kind for point in self.points) if KINDS[name].folio]

    @property
    def bytes_needed(self) -> int:
        """Of a worker at the largest point."""
        page_size = arches.find(self.arch).page_size if self.where == "vm" else PAGE_SIZE
        return max([point.bytes_in(page_size) for point in self.points], default=0)


def turns(boots: Sequence[int], seed: int) -> list[tuple[int, int]]:
    """Return the order in which the boots of several plans are measured, as (plan, boot); the first plan is the base.

    The kernels take turns, in an order that the seed shuffles, and the base is measured first and last: how far its own
    boots drift apart limits what can be said of the others. With one boot of each there is a second one of the base.
    """
    if len(boots) == 1:
        return [(0, boot) for boot in range(boots[0])]
    import random  # noqa: PLC0415  (a worker imports this module, and is to stay lean)

    draw, rounds = random.Random(seed), []
    for boot in range(max(boots)):
        one = [(plan, boot) for plan in range(len(boots)) if boot < boots[plan]]
        draw.shuffle(one)
        rounds.append(one)
    rounds[0].sort(key=lambda turn: turn[0] != 0)
    rounds[-1].sort(key=lambda turn: turn[0] == 0)
    return [turn for one in rounds for turn in one]
