# SPDX-License-Identifier: GPL-2.0-only
"""How long a plan takes: the estimate before it, and the progress bar, which corrects it by what was seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bench.harmless import harmless
from bench.plan.interfaces import INTERFACES
from bench.plan.plan import Job, Plan, Timing
from bench.run import tell
from bench.run.machines import Site

# Seconds on a machine of 2026 that does nothing else, by whether instructions are emulated: to boot and probe; for a
# worker; for a round of one form; for a page that a round populates and walks once; for a page written once and tracked
BOOT, WORKER, ROUND, PAGE, WRITE = (
    {False: here, True: emulated}
    for here, emulated in ((3.0, 6.5), (0.01, 0.1), (0.002, 0.022), (3e-7, 1.3e-6), (6e-7, 2.5e-6))
)
PLAY = {False: 0.02, True: 0.25}  # a scenario with one interface; once
SLOW_WRITE = 6e-6  # more, where a handler answers each first write
REPORT = 3.0  # after it
EARLY = 0.02  # of all: before that there is no pace to tell the rest by
LINES = 4  # of progress for every boot, where there is no terminal


def seconds(job: Job, plan: Plan, *, emulated: bool) -> float:
    """About how long a job takes."""
    if not isinstance(job, Timing):
        return PLAY[emulated] * (1 + 0.02 * job.times)
    point = job.point
    forms = point.forms(INTERFACES[name] for name in plan.expected)
    pages = PAGE[emulated] * point.populated * (point.loops + 4)
    handled = sum(not row.kernel_writes for row, _ in forms) * SLOW_WRITE * (8 if emulated else 1)
    writes = (WRITE[emulated] * len(forms) + handled) * point.dirty * (point.loops + 1)
    return WORKER[emulated] + plan.values * (len(forms) * (ROUND[emulated] + pages) + writes)


def estimate(*parts: tuple[Plan, Site]) -> float:
    """About how many seconds plans take, each at its site; as many boots at once as all sites allow."""
    each: list[float] = []
    for plan, site in parts:  # a boot takes as long as any other, but the first, which plays
        each += [_work(plan, site, [0])[1], *[_work(plan, site, [1])[1]] * (plan.boots - 1)]
    return sum(sorted(each, reverse=True)[:: min(site.at_once for _, site in parts)]) + REPORT


def _emulated(site: Site) -> bool:
    return "tcg" in str(site.facts.get("where", ""))


def _work(plan: Plan, site: Site, boots: Sequence[int]) -> tuple[int, float]:
    """How many jobs boots of a plan are, and how many seconds."""
    count, took = 0, len(boots) * _boot_seconds(site)
    for job in plan._replace(processes=plan.boots).jobs(0):  # one process of each point: all may be millions of jobs
        times = plan.share * len(boots) if isinstance(job, Timing) else int(0 in boots)
        count, took = count + times, took + times * seconds(job, plan, emulated=_emulated(site))
    return count, took


def _boot_seconds(site: Site) -> float:
    return BOOT[_emulated(site)] * site.guest


def human(duration: float) -> str:
    """A duration in words: 40 s, 12 min, 3 h."""
    if duration < 90:
        return f"{duration:.0f} s"
    return f"{duration / 60:.0f} min" if duration < 5400 else f"{duration / 3600:.1f} h"


class Bar:
    """How far boots of plans are, each with its site, on standard error: a bar, without a terminal some lines, or JSON.

    What it is told is told on as bench/run/tell.py is asked to.
    """

    def __init__(self, parts: Sequence[tuple[Plan, Site, Sequence[int]]]) -> None:
        self._planned, self._total = 0, 0.0
        for part in parts:
            count, total = _work(*part)
            self._planned, self._total = self._planned + count, self._total + total
        self._past = 0.0  # seconds that what is done should have taken
        self._jobs = 0
        self._start = time.monotonic()
        style = tell.style()
        self._lines = style.progress == tell.AUTO and not style.quiet
        self._console = Console(file=tell.sink(), highlight=False, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.fields[jobs]}/{task.fields[planned]} jobs"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            disable=not (self._console.is_terminal and self._lines),
        )
        self._task = self._progress.add_task("", total=self._total, jobs=0, planned=self._planned, left="")
        self._every = max(1, self._planned // (LINES * min(sum(len(boots) for _, _, boots in parts), 3) or 1))

    def __enter__(self) -> Self:
        self._progress.start()
        self._tell("started")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        self._tell("ended")

    def print(self, line: str) -> None:
        """Print a line above the bar, made harmless."""
        if tell.style().machine:
            tell.note(line)
        elif not tell.style().quiet:
            self._console.print(harmless(line), markup=False)

    def booted(self, site: Site, boot: int = 0, label: str = "") -> None:
        """Take note of a machine that said what it is."""
        self._past += _boot_seconds(site)
        self._show()
        self._tell("boot", boot=boot, kernel=label)

    def fell(self, boot: int, why: str, label: str = "") -> None:
        """Take note of a boot that came to no end. why: empty where the error at the end says it all."""
        if tell.style().machine:
            self._tell("fell", boot=boot, kernel=label, text=why)
        elif why:
            self.print(why)

    def skip(self, job: Job, plan: Plan, site: Site) -> None:
        """Take note of a job for which there is nothing to do."""
        self._total -= seconds(job, plan, emulated=_emulated(site))
        self._planned -= 1

    def leave(self, before: Plan, after: Plan, site: Site) -> None:
        """Take note of what a plan had, and has no more."""
        (count, total), (rest, less) = (_work(plan, site, range(plan.boots)) for plan in (before, after))
        self._planned, self._total = self._planned - count + rest, self._total - total + less

    def done(self, job: Job, plan: Plan, site: Site, took: float = 0.0) -> None:
        """Take note of a job that is done, in so many seconds."""
        self._past += seconds(job, plan, emulated=_emulated(site))
        self._jobs += 1
        self._show()
        self._tell("job", name=job.name, took=took)
        if tell.style().verbose:
            if not tell.style().machine:
                self.print(f"{job.name}: {took:.2f} s")
        elif self._lines and self._progress.disable and (self._jobs % self._every == 0 or self._jobs == self._planned):
            spent = time.monotonic() - self._start
            self.print(f"{self._jobs} of {self._planned} jobs, {spent:.0f} s{self._left(', about {} left')}")

    def _tell(self, kind: str, **facts: object) -> None:
        """Tell a machine an event, and how far all is."""
        if tell.style().machine:
            far = {"jobs": self._jobs, "planned": self._planned, "seconds": time.monotonic() - self._start}
            tell.event(kind, **facts, **far, left=self._seconds_left())

    def _seconds_left(self) -> float:
        """How long it will still take, by the pace so far, or by the estimate where there is none yet."""
        left = max(0.0, self._total - self._past)
        if self._past < EARLY * self._total or not self._past:
            return left
        return left * (time.monotonic() - self._start) / self._past

    def _left(self, words: str) -> str:
        """How long it will still take; empty where there is no pace yet, or nothing left."""
        if self._past < EARLY * self._total or self._jobs == self._planned:
            return ""
        return words.format(human(max(1.0, self._seconds_left())))

    def _show(self) -> None:
        self._progress.update(
            self._task,
            completed=self._past,
            total=self._total,
            jobs=self._jobs,
            planned=self._planned,
            left=self._left("about {} left"),
        )
