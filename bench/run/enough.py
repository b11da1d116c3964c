# SPDX-License-Identifier: GPL-2.0-only
"""Says when enough was measured for --until: how surely each cost is known by the records so far.

The sample is that of the reports (bench/stats/samples.py): boots where there are several, else processes. Of times it
is the 95 % interval of Student's t; counts have no distribution, so it is the range of their boots. Who looks again and
again, and stops at the first good moment, gets intervals that are a little too narrow: the fewer looks, the less.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.plan.interfaces import UNTRACKED, form
from bench.plan.plan import Plan
from bench.plan.records import PHASES, Record, Series, Timed
from bench.run.request import LEAST_BOOTS, QUICK

WRITES = "dirty"  # the phase that is the program's own
MEASURES = ("cost", "tracker")
_SHOWN = 5  # cases that are named
_EVERY = 10  # looks once a tenth more was measured

Sample = dict[int, list[float]]  # medians of processes, by boot


class Case(NamedTuple):
    """What is to be known: a measure of one form at one point."""

    point: str
    form: str
    measure: str


def least(plan: Plan) -> int:
    """How many units can be enough at all."""
    return LEAST_BOOTS if plan.counted else QUICK


def due(units: int, plan: Plan) -> bool:
    """Whether it is time to look, after so many units: not after each, if there are many."""
    return units >= least(plan) and units % max(1, units // _EVERY) == 0


def widths(found: Sequence[Record], plan: Plan) -> dict[Case, float]:
    """How far each cost may be from what is known, in percent of it: infinite where that can't be said.

    found: the records of a log that count. A case that was measured nowhere is in none.
    """
    samples: dict[Case, Sample] = {}
    for record in found:
        if isinstance(record, Timed):
            for case, value in _measured(record):
                samples.setdefault(case, {}).setdefault(record.boot, []).append(value)
    return {case: _width(_units(sample, plan), plan) for case, sample in samples.items()}


def unsure(found: Sequence[Record], plan: Plan) -> dict[Case, float]:
    """Return the widths() that are more than the plan wants, the widest first."""
    wide = {case: width for case, width in widths(found, plan).items() if width > plan.until}
    return dict(sorted(wide.items(), key=lambda item: -item[1]))


def told(found: Sequence[Record], plan: Plan) -> str:
    """Say what became of it, once all is measured."""
    wide, every = unsure(found, plan), len(widths(found, plan))
    how_many = f"{plan.boots} boots" if plan.boots > 1 else f"{plan.processes} processes"
    if not wide:
        return f"Every cost is known to +-{plan.until:g} %, after {how_many}." if every else ""
    shown = [f"{case.form} {case.measure} at {case.point} ({_shown(width)})" for case, width in wide.items()]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    named = "; ".join(shown[:_SHOWN])
    return (
        f"After {how_many}, the most that were to be measured, {len(wide)} of {every} costs are less sure than "
        f"+-{plan.until:g} %: {named}{more}."
    )


def _shown(width: float) -> str:
    return f"+-{width:.2g} %" if math.isfinite(width) else "too few, or it is nothing"


def _measured(record: Timed) -> list[tuple[Case, float]]:
    """The cost and the tracker's part of each form, in the median interval of this process (as frames.intervals())."""
    baseline = [one.values.get(WRITES, []) for one in record.series if one.interface == UNTRACKED]
    idle = record.facts.get("writes") == 0
    if not baseline or not baseline[0]:
        return []
    untracked = 0.0 if idle else statistics.median(baseline[0])
    found = []
    for one in record.series:
        if one.interface != UNTRACKED and all(one.values.values()):
            tracker, writes = _rounds(one, idle=idle)
            costs = [mine + theirs - untracked for mine, theirs in zip(tracker, writes, strict=False)]
            for measure, values in zip(MEASURES, (costs, tracker), strict=True):
                if values:
                    case = Case(record.point.name, form(one.interface, one.atomic), measure)
                    found.append((case, statistics.median(values)))
    return found


def _rounds(one: Series, *, idle: bool) -> tuple[list[float], list[float]]:
    """What the tracker's phases took, and the writes, in each round."""
    phases: Mapping[str, list[float]] = {phase: one.values[phase] for phase in PHASES if phase in one.values}
    own = [values for phase, values in phases.items() if phase != WRITES]
    tracker = [sum(some) for some in zip(*own, strict=False)]
    return tracker, [0.0] * len(tracker) if idle else phases.get(WRITES, [])


def _units(sample: Sample, plan: Plan) -> list[float]:
    if plan.boots > 1:
        return [statistics.median(values) for values in sample.values()]
    return [value for values in sample.values() for value in values]


def _width(values: Sequence[float], plan: Plan) -> float:
    """The wider side of the interval, in percent."""
    if len(values) < least(plan):
        return float("inf")
    middle = statistics.median(values) if plan.counted else statistics.fmean(values)
    if plan.counted:
        aside = max(max(values) - middle, middle - min(values))
    else:
        aside = _student(len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return 100 * aside / abs(middle) if middle else 0.0 if not aside else float("inf")


def _student(freedom: int) -> float:
    """The quantile of Student's t that leaves 2.5 % on each side."""
    from scipy.special import stdtrit  # noqa: PLC0415

    return float(stdtrit(freedom, 0.975))
