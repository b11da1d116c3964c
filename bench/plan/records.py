# SPDX-License-Identifier: GPL-2.0-only
"""The typed records that machines yield and the log keeps, and their one coder: a record is one line of JSON.

A line is believed only as far as it is checked here: every field has its type and range, and nothing else is taken.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from bench.errors import BadInput
from bench.plan.interfaces import Reason
from bench.plan.plan import READABLE, SCHEMA, Plan, Play, Timing
from bench.plan.points import Point

TIME, INSTRUCTIONS = "time", "instructions"  # quantities that a clock can count, one a nanosecond
PHASES = ("reset", "dirty", "collect", "collect_reset")  # of an interval
POPULATE = "populate"  # the phase before the first one
OTHERS = "(others)"  # functions that were sampled least, together
LONGEST = 1 << 24  # bytes of a line; the longest honest one has some 100 KiB
_BIGGEST = 2**63

Facts = dict[str, str | int | float]
_NONE: dict[str, Any] = {}  # nobody adds to it


class Series(NamedTuple):
    """What one form of an interface took and reported in one process.

    `values`, `warmups`: by phase, one number for each value of the process, in nanoseconds of the machine's clock: the
    mean of its intervals, or their median where the clock counts instructions. `intervals`, `extra`, `missed`: over all
    intervals. `wrong`: per interval, run-length coded, where any was: `17x+0-0 1x+512-0`; `example`: pages of the first
    wrong one. `overlapped`: intervals in which writers still wrote when the first collect had ended. `vmas_left`: VMAs
    of the mapping after the last interval.

    `counters`: by phase and name, what was counted beside the values, one number for each value of the process. Of
    emulated machines they are of the interval whose instructions are the median (the lower one of two): `user` and
    `kernel`, whose sum is the value; `loads`, `stores`, `faults`, `invlpg`, `invpcid`, `cr3`, `ipi`; and `foreign`,
    instructions of interrupts and other tasks, which are in no value, as a mean of all intervals. Of real machines they
    are means of the intervals of a round that is not timed, so there is one number, in one process of each boot those
    of user space and in another those of the kernel, named as perf names them: `instructions:u`, `page-faults:k`.
    `functions`: by phase, for each value, the kernel's instructions of that interval by function, which add up to
    `kernel`; `foreign`: those of the counter of that name by function.

    `samples`: by phase, how often a sampler met each kernel function there, in a round that is not timed: the share of
    a function is known to 1.96 sqrt(share (1 - share) / n) of n samples. Of other threads and processes there are none.
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

    `broken`: those of them that break the contract; `written`: the truth's size; `why`, `remedy`: it was not possible;
    `failed`: it did not come to an end as it should: died, hung, or a call failed that never should.
    """

    times: int
    extra: int = 0
    missed: int = 0
    broken: int = 0
    written: int = 0
    why: str = ""
    remedy: str = ""
    failed: str = ""


class Played(NamedTuple):
    """What a Play found. `contract`: where it differs from the truth, and why."""

    boot: int
    scenario: str
    interface: str
    contract: str
    runs: list[Plays]

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

    `unreadable`: why the log could not be read, or not all of it.
    """

    boot: int
    counts: dict[str, int]
    first: list[str]
    unreadable: str = ""


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


def wrong_intervals(wrong: str, extra: int, missed: int) -> int:
    """How many intervals were wrong; `wrong` is run-length coded: 17x+0-0 1x+512-0."""
    if not (wrong or extra or missed):
        return 0
    coded = re.findall(r"(\d+)x\+(\d+)-(\d+)", wrong)
    count = sum(int(times) for times, more, less in coded if int(more) or int(less))
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
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"no record: {error}") from None
    kind = data.pop("type", None) if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in types:
        raise BadInput(f"no record: it has no type of {', '.join(types)}")
    if types[kind] is Plan and data.get("schema") not in READABLE:
        raise BadInput(f"a result of another version: its schema is {_shown(data.get('schema'))}, not {SCHEMA!r}")
    return _typed(data, types[kind], kind)


def _typed(value: Any, wanted: Any, where: str) -> Any:
    """Return the value as the type that is wanted. Raises BadInput that names the place."""
    if hasattr(wanted, "_fields"):
        return _fields(value, wanted, where)
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (list, tuple):
        if not isinstance(value, list):
            raise BadInput(f"{where} is no list")
        return origin(_typed(one, inner[0], f"{where}[{i}]") for i, one in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise BadInput(f"{where} is no object")
        return {key: _typed(one, inner[1], f"{where}.{key[:40]}") for key, one in value.items()}
    allowed = inner if origin is Union or inner else (wanted,)
    if not any(_is(value, one) for one in allowed):
        raise BadInput(f"{where} is {_shown(value)}, not {' or '.join(one.__name__ for one in allowed)}")
    return float(value) if allowed == (float,) else value


def _is(value: Any, wanted: type) -> bool:
    """Whether a value of JSON is of a plain type, and a number that can be."""
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _BIGGEST
    return isinstance(value, wanted)


def _fields(value: Any, wanted: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise BadInput(f"{where} is no object")
    if unknown := value.keys() - set(wanted._fields):
        raise BadInput(f"{where} has a field {min(unknown)[:40]!r}")
    if missing := set(wanted._fields) - value.keys() - wanted._field_defaults.keys():
        raise BadInput(f"{where} lacks {min(missing)}")
    hints = _hints(wanted)
    made = wanted(**{key: _typed(one, hints[key], f"{where}.{key}") for key, one in value.items()})
    check = _CHECKS.get(wanted)
    if check and not check(made):
        raise BadInput(f"{where} has numbers that can't be")
    return made


_known_hints: dict[Any, dict[str, Any]] = {}


def _hints(wanted: Any) -> dict[str, Any]:
    if wanted not in _known_hints:
        _known_hints[wanted] = get_type_hints(wanted)
    return _known_hints[wanted]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:60] + "..."


def _series(one: Series) -> bool:
    """Times are not negative, phases are those there are, counts are counts."""
    phases = {*PHASES, POPULATE}
    times = [time for some in (one.values, one.warmups) for values in some.values() for time in values]
    counts = (one.extra, one.missed, one.overlapped, one.huge_kib_left, one.vmas_left)
    return one.intervals >= 1 and min([*counts, *times]) >= 0 and {*one.values, *one.warmups} <= phases


_CHECKS: dict[Any, Any] = {
    Series: _series,
    Plays: lambda one: one.times >= 1 and min(one.extra, one.missed, one.broken, one.written) >= 0,
    Timed: lambda one: min(one.boot, one.process) >= 0,
    Machine: lambda one: one.boot >= 0 and one.quantity in (TIME, INSTRUCTIONS),
    Messages: lambda one: one.boot >= 0 and min(one.counts.values(), default=1) >= 1,
    Plan: lambda one: 1 <= one.boots <= one.processes and one.values >= 1,
    Point: lambda one: 1 <= one.pages <= 2**32 and 0 <= one.dirty_percent <= 100 and one.loops >= 1,
}
