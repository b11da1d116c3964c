# SPDX-License-Identifier: GPL-2.0-only
"""The typed records that machines yield and the log keeps, and their one coder: a record is one line of JSON.

A line is believed only as far as it is checked here: every field has its type and range, and nothing else is taken.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from bench.errors import BadInput
from bench.plan import facts
from bench.plan.bystanders import BYSTANDERS
from bench.plan.interfaces import Reason
from bench.plan.kinds import KINDS, THEN
from bench.plan.kinds import POPULATE as POPULATED
from bench.plan.plan import MOST_PROCESSES, READABLE, SCHEMA, Plan, Play, Timing
from bench.plan.points import LIVES, MAX_PAGES, MAX_THREADS, SHARING, Point
from bench.plan.schema import CHECKS, parsed, shown, typed

TIME, INSTRUCTIONS = "time", "instructions"  # quantities that a clock can count, one a nanosecond
# How a play ends that has no verdict on pages: the kernel crashed; it, or the play, hung; the interface made a call of
# the tracked program fail; the play died, or a call failed that never should.
CRASHED, HUNG, BREAKS, FAILED = "crashed", "hung", "breaks", "failed"
ENDINGS = (CRASHED, HUNG, BREAKS, FAILED)
REFUSED = "refused"  # beside why it was not possible: the kernel said so with an error that is known, loudly
# Of an interval, and of a tracker's life around them, in their order: `arm` is its first reset, `act` what it does with
# the pages it was told of, `disarm` ends tracking, and `after` is the program's first writes without it.
PHASES = ("open", "arm", "reset", "dirty", "collect", "collect_reset", "act", "disarm", "close", "after")
ANY, APART = "any", "apart"  # what operations of bystanders overlap: any phase, none
BUCKETS = 1216  # of their times
# Of the operations in one process: their median, 99th percentile and maximum, one after the other how long each took,
# and the median of those that overlapped a phase.
WAITS = ("bystanders_median", "bystanders_p99", "bystanders_max", "bystanders_each", "bystanders_reset",
         "bystanders_dirty", "bystanders_collect")  # fmt: skip
POPULATE = "populate"  # the phase before the first one
ABSENT = "none"  # beside orders of folios: pages that are not there, or swapped out
OTHERS = "(others)"  # functions that were sampled least, together
LONGEST = 1 << 24  # bytes of a line; the longest honest one has some 100 KiB
MOST = 10**15  # of anything that is counted
LONGEST_TIME = 1e18  # nanoseconds, or instructions: 31 years
MOST_NAMES = MOST_PROCESSES  # points, processes, boots, values, names of one kind
LONGEST_NAME = 200  # characters of a name: a suite's, workload's, interface's, result's
LONGEST_FUNCTION = 512  # characters of a function's name: KSYM_NAME_LEN of the kernel
LONGEST_WORDS = 1 << 16  # characters of a reason or a finding
MOST_LINES = 10**9  # of a kernel's log
LARGEST_ORDER = 9  # of a folio that is told from larger ones: a huge page
MOST_FUNCTIONS = 20_000  # of a phase: no kernel has more that one interval could call

_RUN = re.compile(r"(\d{1,15})x\+(\d{1,15})-(\d{1,15})")  # of wrong intervals

Facts = dict[str, str | int | float]
_NONE: dict[str, Any] = {}  # nobody adds to it


class Beside(NamedTuple):
    """How long the operations of a bystander took in one process, while one form was measured.

    `counts`: by the phase that they overlapped, or ANY for those that overlapped one at all, or APART for those that
    overlapped none: how many took so long, {bucket: count}, of latency()'s; `longest`: the same keys, and the slowest,
    in nanoseconds of the machine's clock. `ended`: how many ended within an interval, and `ended_ns`, what these took
    with the time between them. `pause_us`: between two operations, where there was no CPU for it alone; `urgent`: 1
    where it went before all tasks of usual priority then.
    """

    counts: dict[str, dict[str, int]] = _NONE
    longest: dict[str, int] = _NONE
    ended: int = 0
    ended_ns: int = 0
    pause_us: int = 0
    urgent: int = 0

    def quantile(self, share: float, key: str = ANY) -> float:
        """The time that this share of operations stayed below, in the clock's nanoseconds to 3 %; NaN without any."""
        counts = sorted((int(at), count) for at, count in self.counts.get(key, {}).items())
        wanted, seen = share * sum(count for _, count in counts), 0
        for bucket, count in counts:
            seen += count
            if seen >= wanted:
                return min(sum(latency(bucket)) / 2, float(self.longest[key]))
        return math.nan

    @property
    def waits(self) -> dict[str, float]:
        """What is said of it, by WAITS: nanoseconds of the clock, NaN without operations."""
        collects = [self.quantile(0.5, key) for key in ("collect", "collect_reset") if key in self.counts]
        return {
            "bystanders_median": self.quantile(0.5),
            "bystanders_p99": self.quantile(0.99),
            "bystanders_max": float(self.longest.get(ANY, math.nan)),
            "bystanders_each": self.ended_ns / self.ended if self.ended and not self.pause_us else math.nan,
            "bystanders_reset": self.quantile(0.5, "reset"),
            "bystanders_dirty": self.quantile(0.5, "dirty"),
            "bystanders_collect": collects[0] if collects else math.nan,
        }

    @property
    def slowest(self) -> str:
        """The phase that the slowest operation overlapped; of two the one that is the tracker's call."""
        order = ("reset", "collect_reset", "collect", "act", "dirty")
        return next((key for key in order if self.longest.get(key) == self.longest.get(ANY, -1)), "")


class Series(NamedTuple):
    """What one form of an interface took and reported in one process.

    `values`, `warmups`: by phase, one number for each value of the process, in nanoseconds of the machine's clock: the
    mean of its intervals, or their median where the clock counts instructions. `intervals`, `extra`, `missed`: over all
    intervals. `wrong`: per interval, run-length coded, where any was: `17x+0-0 1x+512-0`; `example`: pages of the first
    wrong one. `overlapped`: intervals in which writers still wrote when the first collect had ended. `vmas_left`: VMAs
    of the mapping after the last interval. `periods`: of writers that have a rhythm, over all intervals; `late`: those
    that ended before their pages were written. `beside`: what somebody noted who has
    nothing to do with it.

    `counters`: by phase and name, what was counted beside the values, one number for each value of the process. Of
    emulated machines they are of the interval whose instructions are the median (the lower one of two): `user` and
    `kernel`, whose sum is the value; `loads`, `stores`, `faults`, `invlpg`, `invpcid`, `cr3`, `ipi` (the `counts` of
    bench/plan/arches.py); and `foreign`,
    instructions of interrupts and other tasks, which are in no value, as a mean of all intervals. Of real machines they
    are means of the intervals of a round that is not timed, so there is one number, in one process of each boot those
    of user space and in another those of the kernel, named as perf names them: `instructions:u`, `page-faults:k`.
    `functions`: by phase, for each value, the kernel's instructions of that interval by function, which add up to
    `kernel`; `foreign`: those of the counter of that name by function.

    `samples`: by phase, how often a sampler met each kernel function there, in a round that is not timed: the share of
    a function is known to 1.96 sqrt(share (1 - share) / n) of n samples. Of other threads and processes there are none.

    `orders_before`, `orders_after`: pages of the mapping by the order of their folio (ABSENT: not there), before the
    first interval and after the last one of the last mapping; empty where nobody looked, or could. `orders_changed`:
    intervals, of all mappings, after which they were others than before the first one.
    """

    interface: str
    atomic: bool
    intervals: int
    extra: int
    missed: int
    values: dict[str, list[float]]
    warmups: dict[str, list[float]]
    wrong: str = ""
    overlapped: int = 0
    huge_kib_left: int = 0
    vmas_left: int = 0
    counters: dict[str, dict[str, list[float]]] = _NONE
    functions: dict[str, list[dict[str, int]]] = _NONE
    foreign: dict[str, list[dict[str, int]]] = _NONE
    samples: dict[str, dict[str, int]] = _NONE
    example: str = ""
    periods: int = 0
    late: int = 0
    beside: Beside = Beside()
    orders_before: dict[str, int] = _NONE
    orders_after: dict[str, int] = _NONE
    orders_changed: int = 0


class Machine(NamedTuple):
    """The first record of a boot: what the machine is, what its clock counts, and what can't be measured there.

    `findings`: by interface, or `INTERFACE on MEMORY`, what its probe found wrong: it is measured nevertheless.
    """

    boot: int
    facts: Facts
    unavailable: dict[str, Reason]  # by interface, `INTERFACE on MEMORY`, or MEMORY: Point.elsewhere_name
    quantity: str = TIME
    findings: dict[str, str] = _NONE

    def usable(self, interfaces: Iterable[str], point: Point) -> list[str]:
        """Return the interfaces that can measure a point here; none where only the untracked baseline could."""
        memory = point.elsewhere_name
        if memory in self.unavailable:
            return []
        return [one for one in interfaces if not {one, f"{one} on {memory}"} & self.unavailable.keys()]

    def can(self, job: Timing | Play, plan: Plan) -> bool:
        """Whether a job can be done here."""
        if isinstance(job, Play):
            return job.interface not in self.unavailable
        return bool(self.usable(plan.interfaces, job.point))


class Timed(NamedTuple):
    """What a Timing found. `refused`: by form, why the kernel refused it at this point."""

    boot: int
    point: Point
    process: int
    series: list[Series]
    refused: dict[str, str]
    facts: Facts

    @property
    def key(self) -> tuple[object, object]:
        """That of its job."""
        return self.point, self.process


class Plays(NamedTuple):
    """Equal neighbours of the plays of a scenario: how many, pages too many and too few against the truth.

    `broken`: those of them that break the contract, of which `surplus` are extra; `written`: the truth's size;
    `why`, `remedy`: it was not possible; `failed`: it did not come to an end as it should, and why; `ended`: how then,
    one of ENDINGS, or REFUSED where the kernel is why it was not possible.
    """

    times: int
    extra: int = 0
    missed: int = 0
    broken: int = 0
    written: int = 0
    why: str = ""
    remedy: str = ""
    failed: str = ""
    ended: str = ""
    surplus: int = 0


class Played(NamedTuple):
    """What a Play found. `contract`: where it differs from the truth, and why."""

    boot: int
    scenario: str
    interface: str
    contract: str
    runs: list[Plays]

    @property
    def hung(self) -> bool:
        """Whether the last play came to no end."""
        return self.runs[-1].ended == HUNG

    @property
    def key(self) -> tuple[object, object]:
        """That of its job."""
        return self.scenario, self.interface


class Failed(NamedTuple):
    """A job that came to no end; without a job's name: the boot."""

    boot: int
    job: str
    why: str


class Messages(NamedTuple):
    """The last record of a boot: what its kernel's log complains of. `counts`: by kind; `first`: first lines of each.

    `unreadable`: why the log could not be read, or not all of it. `lines`: that the kernel printed while it was
    measured, complaints or not: where they are many, times are of printing them.
    """

    boot: int
    counts: dict[str, int]
    first: list[str]
    unreadable: str = ""
    lines: int = 0


Record = Plan | Machine | Timed | Played | Failed | Messages
_TYPES: dict[str, type[Any]] = {"plan": Plan, "machine": Machine, "timed": Timed, "played": Played, "failed": Failed,
                                "messages": Messages}  # fmt: skip
_JOBS: dict[str, type[Any]] = {"timing": Timing, "play": Play}
_NAMES = {kind: name for name, kind in (_TYPES | _JOBS).items()}


def coded(items: list[Any]) -> list[tuple[int, Any]]:
    """Run-length code: equal neighbours as one, with their count."""
    runs: list[tuple[int, Any]] = []
    for one in items:
        if runs and runs[-1][1] == one:
            runs[-1] = (runs[-1][0] + 1, one)
        else:
            runs.append((1, one))
    return runs


def wrong_runs(wrong: str) -> list[tuple[int, int, int]]:
    """Intervals that were alike, pages extra, pages missed, of what is run-length coded: 17x+0-0 1x+512-0."""
    return [(int(times), int(extra), int(missed)) for times, extra, missed in _RUN.findall(wrong)]


def wrong_intervals(wrong: str, extra: int, missed: int) -> int:
    """How many intervals were wrong; `wrong` is run-length coded."""
    if not (wrong or extra or missed):
        return 0
    count = sum(times for times, more, less in wrong_runs(wrong) if more or less)
    return max(count, int(bool(extra or missed)))


def encode(record: Record | Timing | Play) -> str:
    """Return the record as one line, without its end.

    Fields that have their default are left out, so a default that changes needs another SCHEMA. A plan names its own.
    """
    named = {"type": _NAMES[type(record)]} | ({"schema": record.schema} if isinstance(record, Plan) else {})
    return json.dumps(named | _plain(record), separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    if hasattr(value, "_fields"):
        defaults = value._field_defaults
        return {key: _plain(one) for key, one in value._asdict().items() if key not in defaults or one != defaults[key]}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value


def decode(line: str) -> Record:
    """Return the record of a line. Raises BadInput for what is none."""
    return _decoded(line, _TYPES)  # type: ignore[no-any-return]  # one of those


def decode_job(line: str) -> Timing | Play:
    """Return the job of a line. Raises BadInput for what is none."""
    return _decoded(line, _JOBS)  # type: ignore[no-any-return]


def _decoded(line: str, types: dict[str, type[Any]]) -> Any:
    if len(line) > LONGEST:
        raise BadInput(f"a record of {len(line)} characters")
    data = parsed(line)
    kind = data.pop("type", None) if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in types:
        raise BadInput(f"no record: it has no type of {', '.join(types)}")
    if types[kind] is Plan and data.get("schema") not in READABLE:
        raise BadInput(f"a result of another version: its schema is {shown(data.get('schema'))}, not {SCHEMA!r}")
    return typed(data, types[kind], kind)


def _series(one: Series) -> str:
    """Times are not negative, phases are those there are, counts are counts, and as many as there are values."""
    phases = {*PHASES, POPULATE}
    counters = [values for some in one.counters.values() for values in some.values()]
    return _bad(
        interface=_name(one.interface),
        intervals=1 <= one.intervals <= MOST,
        wrong=_RUN.sub("", one.wrong).strip(" ") == "",
        example=_words(one.example),
        **{key: _count(getattr(one, key)) for key in ("extra", "missed", "overlapped", "huge_kib_left", "vmas_left")},
        periods=_count(one.periods),
        late=0 <= one.late <= one.periods,
        values=one.values.keys() <= phases and all(map(_times, one.values.values())) and all(one.values.values()),
        warmups=one.warmups.keys() <= phases and all(map(_times, one.warmups.values())),
        counters=one.counters.keys() <= phases
        and all(map(_times, counters))
        and all(len({len(values) for values in some.values()}) <= 1 for some in one.counters.values()),
        **{key: _by_function(getattr(one, key)) for key in ("functions", "foreign")},
        samples=one.samples.keys() <= phases and all(map(_functions, one.samples.values())),
        orders_before=_orders(one.orders_before),
        orders_after=_orders(one.orders_after),
        orders_changed=_count(one.orders_changed),
    )


def latency(bucket: int) -> tuple[int, int]:
    """Return the times that a bucket is for, from the first to below the second: 32 buckets a power of two."""
    if bucket < 32:
        return bucket, bucket + 1
    power = bucket // 32 - 1
    return (32 + bucket % 32) << power, (33 + bucket % 32) << power


def _beside(one: Beside) -> str:
    """Buckets are those there are, and what is counted has a slowest one."""
    keys = {*PHASES, ANY, APART}
    named = all(at.isascii() and at.isdecimal() and int(at) < BUCKETS for some in one.counts.values() for at in some)
    return _bad(
        counts=one.counts.keys() <= keys and named and all(_counts(some.values()) for some in one.counts.values()),
        longest=one.longest.keys() == one.counts.keys() and _times(one.longest.values()),
        **{key: _count(getattr(one, key)) for key in ("ended", "ended_ns", "pause_us")},
        urgent=one.urgent in (0, 1),
    )


def _orders(found: dict[str, int]) -> bool:
    return found.keys() <= {*map(str, range(LARGEST_ORDER + 1)), ABSENT} and _counts(found.values())


def _by_function(found: dict[str, list[dict[str, int]]]) -> bool:
    return found.keys() <= {*PHASES, POPULATE} and all(_functions(by) for some in found.values() for by in some)


def _functions(by: dict[str, int]) -> bool:
    named = all(len(name) <= LONGEST_FUNCTION for name in by)
    return len(by) <= MOST_FUNCTIONS and named and _counts(by.values())


def _point(one: Point) -> str:
    """What is mapped could be, and the words are those there are; which workloads there are changes."""
    return _bad(
        workload=_name(one.workload),
        pages=1 <= one.pages <= MAX_PAGES,
        kind=one.kind in KINDS,
        sharing=one.sharing in SHARING,
        vmas=1 <= one.vmas <= one.pages,
        populate=one.populate in POPULATED,
        masks=one.masks in ("fast", "extra"),
        then=one.then in THEN,
        life=one.life in LIVES,
        **{key: 1 <= getattr(one, key) <= MAX_THREADS for key in ("writers", "scanners", "trackers", "targets")},
        paced=0 <= one.paced <= one.writers,
        budget=1 <= one.budget <= MAX_PAGES,
        period_us=1 <= one.period_us < 10**7,
        **{key: 0 <= getattr(one, key) <= 100 for key in ("dirty_percent", "prior_percent", "read_percent")},
        **{key: 0 < getattr(one, key) <= 100 for key in ("watch_percent", "populated_percent")},
        **{key: getattr(one, key) in (0, 1) for key in ("concurrent", "external", "first")},
        **{key: getattr(one, key) >= 0 for key in ("ballast", "vec_len", "max_pages", "read_bytes", "every_us")},
        bystanders=not one.bystanders or one.bystanders in BYSTANDERS,
    )


def _plan(one: Plan) -> str:
    """Names are names, and the boots share the processes."""
    one.check_size()
    lists = ("interfaces", "scenarios", "merged", "matrix", "optional")
    return _bad(
        suite=_name(one.suite),
        **{key: len(getattr(one, key)) <= MOST_NAMES and all(map(_name, getattr(one, key))) for key in lists},
        points=len(one.points) <= MOST_NAMES,
        qemu_args=len(one.qemu_args) <= MOST_NAMES,
        processes=one.processes >= 1,
        boots=1 <= one.boots <= one.processes,
        values=1 <= one.values <= MOST_NAMES,
        seed=abs(one.seed) < 2**40,
        until=0 <= one.until <= 100,
    )


def _bad(**fine: bool) -> str:
    """The first field that is not fine; empty where all are."""
    return next((name for name, is_fine in fine.items() if not is_fine), "")


def _name(text: str) -> bool:
    return 1 <= len(text) <= LONGEST_NAME


def _words(text: str) -> bool:
    return len(text) <= LONGEST_WORDS


def _said(found: dict[str, str]) -> bool:
    """What is said of interfaces, or of interfaces on some memory."""
    return (
        len(found) <= facts.MOST
        and all(0 < len(key) <= 2 * LONGEST_NAME for key in found)
        and all(map(_words, found.values()))
    )


def _count(number: float) -> bool:
    return 0 <= number <= MOST


def _counts(numbers: Iterable[float]) -> bool:
    return all(map(_count, numbers))


def _times(numbers: Iterable[float]) -> bool:
    return all(0 <= number <= LONGEST_TIME for number in numbers)


def _number(number: int) -> bool:
    return 0 <= number < MOST_NAMES


def _machine(one: Machine) -> str:
    facts.check(one.facts, "machine.facts")
    return _bad(
        boot=_number(one.boot),
        unavailable=all(_said({what: why[i] for what, why in one.unavailable.items()}) for i in range(2)),
        quantity=one.quantity in (TIME, INSTRUCTIONS),
        findings=_said(one.findings),
    )


def _timed(one: Timed) -> str:
    facts.check(one.facts, "timed.facts")
    return _bad(
        boot=_number(one.boot),
        process=_number(one.process),
        series=len(one.series) <= facts.MOST,
        refused=_said(one.refused),
    )


def _plays(one: Plays) -> str:
    counts = {key: _count(getattr(one, key)) for key in ("extra", "missed", "broken", "written", "surplus")}
    words = {key: _words(getattr(one, key)) for key in ("why", "remedy", "failed")}
    ended = not one.ended or bool(one.why if one.ended == REFUSED else one.failed and one.ended in ENDINGS)
    return _bad(times=1 <= one.times <= MOST, ended=ended, **counts, **words)


def _played(one: Played) -> str:
    named = {key: _name(getattr(one, key)) for key in ("scenario", "interface")}
    runs = 1 <= len(one.runs) <= MOST_NAMES
    return _bad(boot=_number(one.boot), **named, contract=_words(one.contract), runs=runs)


def _failed(one: Failed) -> str:
    return _bad(boot=_number(one.boot), job=_words(one.job), why=_words(one.why))


def _messages(one: Messages) -> str:
    counts = len(one.counts) <= facts.MOST and all(map(_name, one.counts))
    return _bad(
        boot=_number(one.boot),
        counts=counts and all(1 <= n <= MOST_LINES for n in one.counts.values()),
        first=len(one.first) <= facts.MOST and all(map(_words, one.first)),
        unreadable=_words(one.unreadable),
        lines=0 <= one.lines <= MOST_LINES,
    )


# By type: which of its fields can't be.
CHECKS.update({
    Series: _series,
    Beside: _beside,
    Plays: _plays,
    Timed: _timed,
    Machine: _machine,
    Played: _played,
    Failed: _failed,
    Messages: _messages,
    Plan: _plan,
    Point: _point,
    Timing: lambda one: _bad(process=_number(one.process)),
    Play: lambda one: _bad(scenario=_name(one.scenario), interface=_name(one.interface), times=1 <= one.times <= MOST),
})  # fmt: skip
