# SPDX-License-Identifier: GPL-2.0-only
"""What a machine may answer: each of its records against the plan and the job. It is not trusted, guests least of all.

That every field has its type and range, the coder has checked (bench/plan/records.py); here is what only the plan
knows. Each function returns what is wrong, empty for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from bench.plan import arches
from bench.plan.interfaces import INTERFACES, Interface, form
from bench.plan.plan import Job, Plan, Play, Timing
from bench.plan.points import Point
from bench.plan.records import (
    PHASES,
    POPULATE,
    TIME,
    Failed,
    Machine,
    Messages,
    Played,
    Record,
    Series,
    Timed,
    wrong_runs,
)

WARMUPS = 1  # intervals per fresh mapping that are not timed: the first write-protects what was never protected
SCENARIOS = "scenarios"  # what can't be played where no interface works
NEEDED = ("kernel_release", "kernel_version", "copy_page_ns", "page_size")  # facts, to report verdicts
TOLD = ("kernel_release", "architecture", "page_size")  # and where it is only asked which interfaces work
EVENTS = (":u", ":k")  # what the names of events end with


def machine(record: Record, plan: Plan, boot: int) -> str:
    """What is wrong with the first record of a boot."""
    if not isinstance(record, Machine):
        return f"{_named(record)} before the machine said what it is"
    if record.boot != boot:
        return f"it calls itself boot {record.boot}, and is boot {boot}"
    known = {SCENARIOS, *plan.interfaces, *(point.elsewhere_name for point in plan.points)}
    known |= {f"{name} on {point.elsewhere_name}" for point in plan.points for name in plan.interfaces}
    if strange := [name for some in (record.unavailable, record.findings) for name in some if name not in known]:
        return f"it says something of {strange[0]!r:.80}, which is not in the plan"
    needed = NEEDED if plan.scenarios else () if plan.points else TOLD
    if lacking := [fact for fact in needed if fact not in record.facts]:
        return f"it does not say its {lacking[0]}"
    if plan.where == "vm" and (other := arches.differs(arches.find(plan.arch), record.facts)):
        return other
    return "" if record.quantity == TIME else f"it measures {record.quantity}: which, is not for it to say"


def answer(record: Record, job: Job, plan: Plan, first: Machine) -> str:
    """What is wrong with the answer to a job; first: what the machine said it is."""
    if isinstance(record, Failed) and record.job == job.name:
        wrong = "" if record.why else "a failure without a reason"
    elif isinstance(record, Timed) and isinstance(job, Timing) and record.key == job.key:
        wrong = _timed(record, plan, first)
    elif isinstance(record, Played) and isinstance(job, Play) and record.key == job.key:
        wrong = _played(record, job)
    else:
        return f"{_named(record)}, which is something else"
    if not wrong and record.boot != first.boot:
        wrong = f"it is of boot {record.boot}, and not {first.boot}"
    return wrong


def end(record: Record, boot: int) -> str:
    """What is wrong with the last record of a boot on the running kernel; a guest has none."""
    if not isinstance(record, Messages):
        return f"{_named(record)} instead of what the kernel's log says"
    return "" if record.boot == boot else f"it is of boot {record.boot}, and not {boot}"


def _named(record: Record) -> str:
    """A record in a few words, for errors."""
    if isinstance(record, Timed):
        return f"times of {record.point.name:.100}, process {record.process}"
    if isinstance(record, Played):
        return f"a verdict on {record.scenario:.60} with {record.interface:.60}"
    if isinstance(record, Failed):
        return f"a failure of {record.job:.100}" if record.job else "a failure of the boot"
    return {"Plan": "a plan", "Machine": "what a machine is"}.get(type(record).__name__, "what a kernel's log says")


def _timed(record: Timed, plan: Plan, first: Machine) -> str:
    """Of times: each form that can be measured there is, once, or was refused, and has what was asked for."""
    point = record.point
    rows = [INTERFACES[name] for name in first.usable(plan.interfaces, point) if name in INTERFACES]
    asked = {form(row.name, atomic): (row, atomic) for row, atomic in point.forms(rows)}
    found = [form(one.interface, one.atomic) for one in record.series]
    if strange := [name for name in (*found, *record.refused) if name not in asked]:
        return f"{strange[0]!r:.80}, which nobody asked for"
    if twice := [name for i, name in enumerate(found) if name in found[:i]]:
        return f"{twice[0]} twice"
    if lacking := [name for name in asked if (name in found) == (name in record.refused)]:
        return f"{lacking[0]} {'measured and refused' if lacking[0] in found else 'left out'}"
    if free := [name for name in record.refused if asked[name][0].baseline]:
        return f"{free[0]} refused, which asks for nothing"
    writes = record.facts.get("writes", 0)
    if bool(writes) != bool(point.dirty):
        return f"{writes} writes"
    for name, one in zip(found, record.series, strict=True):
        wrong = _series(one, asked[name][0], point, plan) or _counts(one) or _seen(one, point, plan)
        if wrong:
            return f"{name} with {wrong}"
    return ""


def _series(one: Series, row: Interface, point: Point, plan: Plan) -> str:
    """Of one form: its phases, and as many numbers as were asked for."""
    phases = set(point.phases(row, one.atomic))
    warm: set[str] = set() if point.first else phases
    timed = phases | set(point.life_phases(row)) if warm else phases | {POPULATE}
    for what, some, wanted in (("values", one.values, timed), ("warmups", one.warmups, warm)):
        if some.keys() != wanted:
            return f"{what} of {_listed(some)} instead of {_listed(wanted)}"
        if odd := [
            f"{len(numbers)} {what} of {phase}" for phase, numbers in some.items() if len(numbers) != plan.values
        ]:
            return f"{odd[0]} instead of {plan.values}"
    count = plan.values * (point.loops + (0 if point.first else WARMUPS))
    return "" if one.intervals == count else f"{one.intervals} intervals instead of {count}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(phase for phase in (*PHASES, POPULATE) if phase in names) or "nothing"


def _counts(one: Series) -> str:
    """Of wrong pages: the intervals one by one add up to what is said of all of them."""
    if one.overlapped > one.intervals:
        return f"{one.overlapped} of {one.intervals} intervals that overlapped"
    if not (one.wrong or one.extra or one.missed):
        return ""
    runs = wrong_runs(one.wrong)
    sums = (sum(times for times, _, _ in runs), *(sum(run[0] * run[i] for run in runs) for i in (1, 2)))
    said = (one.intervals, one.extra, one.missed)
    what = ("intervals", "pages extra", "pages missed")
    return next((f"{n} {of} instead of {m}" for n, m, of in zip(sums, said, what, strict=True) if n != m), "")


def _seen(one: Series, point: Point, plan: Plan) -> str:
    """Of what was counted beside the values: as far as it is for the machine to count it."""
    if one.functions or one.foreign:
        return "instructions by function, which the host counts"
    if (one.counters or one.samples) and (plan.counted or point.concurrent):
        return "events, which nobody asked for"
    if said := _beside(one, point, plan):
        return said
    if not one.counters.keys() | one.samples.keys() <= one.values.keys():
        return "events of other phases"
    for some in one.counters.values():
        if odd := [name for name, found in some.items() if not name.endswith(EVENTS) or len(found) != 1]:
            return f"events {odd[0]!r:.60}, which can't be"
    return ""


def _beside(one: Series, point: Point, plan: Plan) -> str:
    """Of what was looked at beside the intervals: only what was asked for."""
    for orders in filter(None, (one.orders_before, one.orders_after)):
        if not plan.folios or sum(orders.values()) != point.pages:
            return f"folios of {sum(orders.values())} pages" + ("" if plan.folios else ", which nobody asked for")
    if one.orders_changed > one.intervals:
        return f"{one.orders_changed} changes of folios in {one.intervals} intervals"
    if one.beside.counts and not point.bystanders:
        return "bystanders, whom nobody asked for"
    return "a rhythm, which nobody asked for" if one.periods and not point.paced else ""


def _played(record: Played, job: Play) -> str:
    """Of verdicts: as many plays as were asked for, fewer only where the last one was refused or failed."""
    plays, last = sum(run.times for run in record.runs), record.runs[-1]
    short = bool(last.why or last.failed)
    if plays > job.times + bool(last.failed) or (plays < job.times and not short):
        return f"{plays} plays instead of {job.times}"
    odd = [
        run for run in record.runs if run.broken > run.extra + run.missed or run.surplus > min(run.extra, run.broken)
    ]
    return f"{odd[0].broken} pages against the contract of {odd[0].extra + odd[0].missed} wrong ones" if odd else ""
