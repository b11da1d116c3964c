# SPDX-License-Identifier: GPL-2.0-only
"""Runs targets: input after input, each bounded in time, and what is found kept with the seed that makes it again."""

import contextlib
import resource
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from bench.errors import BenchError

MOST_GROWTH = 256 << 10  # KiB that a target may grow by, from its first thousandth to its end
BUSY = 10  # times the time of a CPU that an input may take in all
MOST_FOUND = 20  # of one target; then it is given up


class Target(NamedTuple):
    """make(random) returns an input; take(input) returns whether it was accepted, or raises BenchError.

    seconds: that one input may take; weight: of the time there is; found by hypothesis: `words` is a strategy, no make.
    """

    name: str
    make: Callable[[Random], Any] | None
    take: Callable[[Any], bool]
    seconds: float = 2.0
    weight: float = 1.0
    words: Any = None


class Found(NamedTuple):
    """Something that must not be: which input of which seed, and what it did."""

    target: str
    seed: int
    number: int
    input: str
    trace: str


class Tally:
    """What became of a target's inputs."""

    def __init__(self, name):
        self.name, self.inputs, self.accepted, self.refused, self.seconds, self.slowest = name, 0, 0, 0, 0.0, 0.0
        self.found: list[Found] = []
        self._memory = 0

    def grew(self):
        """KiB of memory since the first inputs."""
        now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if self.inputs < 200 or not self._memory:
            self._memory = now
        return now - self._memory


class TooLong(BaseException):
    """An input took longer than one may."""


@contextlib.contextmanager
def limited(seconds):
    """End what takes longer, with TooLong: of a CPU's time, or many times as long in all, where a machine is busy."""

    def late(*_):
        raise TooLong(f"over {seconds:g} s")

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, seconds), signal.SIGALRM: (signal.ITIMER_REAL, BUSY * seconds)}
    before = {number: signal.signal(number, late) for number in timers}
    others = {timer: signal.setitimer(timer, most) for timer, most in timers.values()}  # pytest has one
    try:
        yield
    finally:
        for number, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])
            signal.setitimer(timer, *others[timer])


def one(target, tally, made, seed, number):
    """Give a target one input."""
    start = time.process_time()
    trace = ""
    try:
        with limited(target.seconds):
            accepted = target.take(made)
        tally.accepted += bool(accepted)
        tally.refused += not accepted
    except BenchError as error:
        tally.refused += 1
        trace = "" if error.hint or target.name in ("record", "answer") else f"no hint: {error!r}"
    except (Exception, TooLong):
        trace = traceback.format_exc()
    tally.inputs += 1
    tally.slowest = max(tally.slowest, time.process_time() - start)
    if trace:
        tally.found.append(Found(target.name, seed, number, repr(made), trace))
    return not trace


def mutated(target, tally, seed, numbers, end=None):
    """Give a target the inputs of these numbers, until the time is over."""
    for number in numbers:
        one(target, tally, target.make(Random(f"{seed} {target.name} {number}")), seed, number)
        if (end and time.monotonic() > end) or len(tally.found) >= MOST_FOUND:
            break
        if number % 100 == 0 and tally.grew() > MOST_GROWTH:
            grown = f"memory grew by {tally.grew() >> 10} MiB"
            tally.found.append(Found(target.name, seed, number, "", grown))
            break


def searched(target, tally, seed, count):
    """Give a target inputs that hypothesis chooses, so many; what is found is made small."""
    import hypothesis

    settings = hypothesis.settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
    )  # fmt: skip

    @hypothesis.seed(seed)
    @settings
    @hypothesis.given(target.words)
    def give(made):
        before = len(tally.found)
        if not one(target, tally, made, seed, 0):
            latest = tally.found.pop()
            del tally.found[before:]
            smallest.append(latest)
            raise AssertionError(latest.trace.splitlines()[-1])

    smallest = []
    try:
        give()
    except (AssertionError, hypothesis.errors.HypothesisException, ExceptionGroup):
        if not smallest:  # nothing was found: the target itself is wrong, and would be asked for inputs for ever
            raise
        tally.found.extend(smallest[-1:])


def run(target, seed, *, seconds=None, count=None, first=0):
    """Give a target inputs for so long, or so many of them; return its Tally."""
    tally, start = Tally(target.name), time.monotonic()
    end = start + seconds if seconds else None
    if target.words is None:
        mutated(target, tally, seed, range(first, first + count) if count else _endless(first), end)
    else:
        batch = 0
        while len(tally.found) < MOST_FOUND and (tally.inputs < count if count else time.monotonic() < end):
            searched(target, tally, seed + batch, min(500, count - tally.inputs) if count else 200)
            batch += 1
    tally.seconds = time.monotonic() - start
    return tally


def _endless(first):
    while True:
        yield first
        first += 1


def table(tallies):
    """Inputs, and what became of them, by target."""
    rows = [("target", "inputs", "accepted", "refused", "errors", "seconds", "slowest, s")]
    for one in tallies:
        rows.append((one.name, one.inputs, one.accepted, one.refused, len(one.found), f"{one.seconds:.0f}",
                     f"{one.slowest:.2f}"))  # fmt: skip
    sums = [sum(getattr(one, key) for one in tallies) for key in ("inputs", "accepted", "refused")]
    found, seconds = sum(len(one.found) for one in tallies), sum(one.seconds for one in tallies)
    rows.append(("all", *sums, found, f"{seconds:.0f}", f"{max((one.slowest for one in tallies), default=0):.2f}"))
    return "\n".join(f"{row[0]:16}" + "".join(f"{cell:>12}" for cell in row[1:]) for row in rows)


def keep(folder: Path, found):
    """Write what was found into a folder, a file each; return the lines that say it."""
    lines = []
    for one in found:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{one.target}-{one.seed}-{one.number}.txt"
        again = f"make fuzz TARGET={one.target} SEED={one.seed} FIRST={one.number} INPUTS=1"
        path.write_text(f"{again}\n\n{one.trace}\n\n{one.input}\n", errors="backslashreplace")
        lines.append(f"{one.target}: {one.trace.strip().splitlines()[-1][:200]}\n  again: {again}\n  kept in {path}")
    return lines
