# SPDX-License-Identifier: GPL-2.0-only
"""A result as a lab's outcomes: each with a name, whether it is right, and, of what was measured, a number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from bench.report import gate, judged, numbers, sentences
from bench.report.judged import ERROR, FAIL, PASS, SKIP, XFAIL
from bench.stats import comparison, samples
from bench.store import frames, log
from bench.store.frames import CASE, COUNTS
from bench.store.verdicts import Verdicts

# What is no scenario and no point: did each boot end, and each job, and what did the kernel say meanwhile?
BOOTS, JOBS, KERNEL_LOG = "boots", "jobs", "kernel_log"
MEASURES = ("cost", "reset", "collect", "collect_reset", "act", "tracked", "life")  # columns of frames.intervals()


class Outcome(NamedTuple):
    """One of them. path: of letters, digits, _ and - alone, the broadest first; state: one of judged.STATES.

    value: the median, in `unit` (us or instructions); None of what is no number. notes: what a reader is told besides;
    misc: the same for programs.
    """

    path: tuple[str, ...]
    state: str
    value: float | None = None
    unit: str = ""
    notes: tuple[str, ...] = ()
    misc: Mapping[str, Any] = MappingProxyType({})

    @property
    def number(self) -> str:
        """The value in digits: no exponent, which not every reader takes."""
        return f"{self.value or 0:.6f}".rstrip("0").rstrip(".")


def of_times(result: frames.Result) -> list[Outcome]:
    """Return one for each measure of each case, for what could not be measured or was answered wrong by a probe, and
    those that are of no case: JOBS, and of_kernel().

    A number whose intervals did not all report exactly the pages that were written has failed, however small it is.
    """
    rows = frames.intervals(result.frame)
    exactness = frames.exactness(rows).set_index(CASE)
    found = [one for measure in MEASURES for one in _measured(rows, exactness, measure)]
    found += [_said(_place(what), SKIP, why) for what, why in result.unavailable.items()]
    found += [_said((judged.PROBE, what), FAIL, why) for what, why in result.findings.items()]
    short = sentences.runs(rows) < result.planned
    jobs = _said((JOBS,), ERROR if short else PASS, *sentences.incomplete(rows, result))
    return [*found, jobs, *of_kernel(result)]


def of_verdicts(result: Verdicts, base: Verdicts | None = None) -> list[Outcome]:
    """Return one for each scenario and interface, as judged.judge() has them."""
    found = [
        Outcome(_path(*part.name.split(".")), part.state, notes=tuple(filter(None, (part.why, *part.notes))))
        for test in judged.judge(result, base)
        for part in test.parts or (test,)
    ]
    return [*found, *of_kernel(result, base)]


def of_kernel(result: frames.Result | Verdicts, base: Verdicts | None = None) -> list[Outcome]:
    """Return the outcomes BOOTS and KERNEL_LOG: there whether they pass or not, since a lab compares what both have."""
    boots = _said((BOOTS,), ERROR if result.fallen else PASS, *sentences.fallen(result.fallen))
    state = PASS if any(not one.unreadable for one in result.messages.values()) else SKIP
    if log.complaints(result.messages):
        state = FAIL if gate.complaints(base.messages if base else {}, result.messages) else XFAIL
    elif isinstance(result, frames.Result) and sentences.flooded(result.messages):
        state = ERROR  # of the times, which may be of printing
    said = sentences.kernel_log(result.messages) or ["nobody looked into it"]
    return [boots, _said((KERNEL_LOG,), state, *said)]


def _measured(rows: pd.DataFrame, exactness: pd.DataFrame, measure: str) -> Iterator[Outcome]:
    """Yield an outcome for each case that has the measure."""
    unit = numbers.unit(rows)
    for row in samples.medians(rows, CASE, measure).join(exactness).reset_index().itertuples(index=False):
        found: Any = row
        if not math.isfinite(found.median):
            continue
        form = str(found.form)
        path = _path(form, comparison.case_name(found).removesuffix(f" {form}"), measure)
        notes = [f"median of {numbers.many(int(found.units), str(found.unit))}"]
        misc: dict[str, Any] = {key: int(getattr(found, key)) for key in ("units", *COUNTS)} | {"unit": str(found.unit)}
        if math.isfinite(found.low):
            misc |= {key: unit.factor * float(getattr(found, key)) for key in ("low", "high")}
        if found.wrong_intervals:
            pages = f"+{found.extra} and -{found.missed} pages"
            notes.append(f"wrong: {found.wrong_intervals} of {found.intervals} intervals, {pages}")
        state = FAIL if found.wrong_intervals else PASS
        yield Outcome(path, state, unit.factor * float(found.median), unit.title, tuple(notes), misc)


def _said(parts: tuple[str, ...], state: str, *why: str) -> Outcome:
    """One that is no number, and why."""
    return Outcome(_path(*parts), state, notes=tuple(map(judged.plain, why)))


def _place(what: str) -> tuple[str, ...]:
    """The parts of what frames.Result.unavailable names: an interface, or a form and a point."""
    return tuple(what.split(" at ", 1))


def _path(*parts: str) -> tuple[str, ...]:
    """A path of what any reader takes in a name."""
    return tuple(re.sub(r"[^A-Za-z0-9-]+", "_", part).strip("_") or "_" for part in parts)
