# SPDX-License-Identifier: GPL-2.0-only
"""Events counted beside times, and kernel functions sampled, of the case that stands for a result, as text."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import pandas as pd

from bench.errors import BadInput
from bench.plan.points import matches
from bench.plan.records import OTHERS, PHASES
from bench.report import functions, numbers
from bench.report.functions import Section
from bench.report.numbers import many
from bench.stats import ledger
from bench.stats.comparison import case_name
from bench.stats.ledger import Case
from bench.store.events import Events
from bench.store.frames import CASE

SHOWN = 8  # functions of a phase; the rest is one line
ENOUGH = 100  # samples of a phase: with fewer a share is known to +-10 % of the phase, if at all
NORMAL = 1.96  # standard deviations: 95 %
_MEANS = "means of an interval; :u = user, :k = kernel, named as perf does; dTLB misses = page walks (Intel; AMD Zen)"
_SHARES = (
    "+- = what 95 % of such samplings stay within; of the tracker's thread alone, in the kernel; functions that were "
    "inlined are part of their caller"
)
_APART = "both in intervals of their own, which are in no time"


def text(
    found: Events, rows: pd.DataFrame, facts: Mapping[str, object], pattern: str | None = None, phase: str | None = None
) -> str:
    """Return both as text for a mail. Raises BadInput where pattern and phase leave nothing."""
    usual = ledger.representative(rows)
    cases = [Case(*one) for one in found.counters[CASE].drop_duplicates().itertuples(index=False)]
    chosen = [one for one in cases if (matches(case_name(one), pattern) if pattern else one[:-1] == usual[:-1])]
    phases = [one for one in PHASES if phase in (None, one)]
    sections = [_counted(found, case, phases) for case in chosen]
    sections += [one for case in chosen for one in _sampled(found, case, phases)]
    sections = [one for one in sections if one.body]
    if not sections:
        which = f"--filter {pattern!r} and --phase {phase or 'any'} match nothing that was counted"
        raise BadInput(which, f"names look like {case_name(usual)!r}, phases are {', '.join(PHASES)}")
    title = "Events of each phase, and kernel functions sampled in them"
    last = [f"{label}: {facts[key]}" for label, key in (("not counted", "events_missing"), ("sampled", "sampling"))
            if key in facts]  # fmt: skip
    return functions.text([title], sections, [_MEANS, _SHARES, _APART, *last])


def _of(frame: pd.DataFrame, case: Case) -> pd.DataFrame:
    keep = pd.Series(data=True, index=frame.index)
    for key, value in zip(CASE, case, strict=True):
        keep &= frame[key] == value
    return frame[keep]


def _counted(found: Events, case: Case, phases: list[str]) -> Section:
    """A row for each event, a column for each phase."""
    table = _of(found.counters, case).pivot_table(index="counter", columns="phase", values="value", observed=True)
    shown = [one for one in phases if one in table.columns]
    body = [
        [str(name), *(numbers.three(row[one]) if row[one] == row[one] else "" for one in shown)]
        for name, row in table.iterrows()
        if shown
    ]
    return Section(f"{case.form}; {functions.point(case)}", ["event", *shown], body, [])


def _sampled(found: Events, case: Case, phases: list[str]) -> list[Section]:
    """A section for each phase: shares of its functions, the largest first."""
    made, own = [], _of(found.samples, case)
    for phase in phases:
        counts = own[own["phase"] == phase].set_index("function")["samples"].sort_values(ascending=False)
        whole = int(counts.sum())
        if whole >= ENOUGH:
            named = counts.drop(OTHERS, errors="ignore")
            top = {str(name): int(count) for name, count in named.head(SHOWN).items()}
            if rest := whole - sum(top.values()):
                top["other"] = rest
            body = [[name, *_share(count / whole, whole)] for name, count in top.items()]
            title = f"{case.form}, {phase}: {many(whole, 'sample')} of the kernel"
            made.append(Section(title, ["function", "share", "+-"], body, []))
    return made


def _share(share: float, whole: int) -> list[str]:
    return [f"{100 * share:.1f}%", f"{100 * NORMAL * sqrt(share * (1 - share) / whole):.1f}%"]
