# SPDX-License-Identifier: GPL-2.0-only
"""What was counted beside the values, as sentences and a table: boots that differ, foreign work, events of a phase."""

import pandas as pd

from bench.plan.records import INSTRUCTIONS
from bench.report import functions, numbers, tables
from bench.report.functions import USER as SPACE
from bench.report.layout import fitting, grid, note, paragraph
from bench.report.numbers import many
from bench.stats import ledger
from bench.store.frames import KERNEL
from bench.store.ledger import FOREIGN, USER, Ledger

SHOWN = 5  # phases in which boots differ
_UNIT = numbers.of_quantity(INSTRUCTIONS)


def boots(found: Ledger, rows: pd.DataFrame) -> list[str]:
    """Say whether the boots of one kernel agree, and where they do not by which functions; empty for one boot."""
    count = found.counters["boot"].nunique()
    if not found.exact or count < 2:
        return []
    least = numbers.digits(100 * ledger.REPEATS)
    medians = len(found.counters[ledger.PHASE].drop_duplicates())
    apart = ledger.unsteady(found, rows)
    if not apart:
        return [f"Boots agree: {count} boots differ by no more than {least}% in any of {medians} medians of a phase."]
    lines = [
        f"Boots differ: {count} boots of this kernel differ by more than {least}% in {len(apart)} of {medians} medians "
        "of a phase, from the least to the most:"
    ]
    groups: dict[tuple[str, str], list[ledger.Boots]] = {}
    for one in apart:  # the furthest first
        groups.setdefault((one.case.form, one.phase), []).append(one)
    for (form, phase), some in list(groups.items())[:SHOWN]:
        parts = [f"{row.function} {row.change:+.0f}" for row in some[0].functions.head(3).itertuples()]
        where = f"{numbers.digits(100 * (some[0].ratio - 1))}% at {functions.point(some[0].case)}"
        most = f"{many(len(some), 'median')}, up to {where}" if len(some) > 1 else where
        lines.append(f"{form} {phase}: {most}: {', '.join(parts) or SPACE}")
    return lines


def foreign(found: Ledger) -> list[str]:
    """Say how much was executed beside what was measured, and by which functions; empty where it is not known."""
    sums = found.counters.groupby("counter", observed=True)["value"].sum()
    own, other = (float(sums.reindex(names).sum()) for names in ([USER, KERNEL], [FOREIGN]))
    if not found.exact or not other:
        return []
    by = found.foreign.groupby("function", observed=True)["instructions"].sum().sort_values(ascending=False)
    names = f": most of it in {', '.join(map(str, by.head(4).index))}" if len(by) else ""
    share = numbers.digits(100 * other / (own + other))
    return [
        f"Interrupts and other tasks, which are in no number here, executed {share}% of the instructions of the phases"
        f"{names}."
    ]


def table(found: Ledger, rows: pd.DataFrame) -> str:
    """Table of every counter of each form and phase at the representative case; empty without."""
    accounts = [one for one in functions.of_result(found, rows) if len(one.counters)]
    names = [str(name) for name in found.counters["counter"].cat.categories]
    names = [name for name in _order(names) if any(name in one.counters for one in accounts)]
    if not accounts:
        return ""
    heads = {
        name: [numbers.amount(float(one.counters.get(name, float("nan"))), _UNIT) for one in accounts] for name in names
    }
    first = [f"{one.case.form} {one.phase}" for one in accounts]
    widths = [max(len(name), *map(len, cells)) for name, cells in heads.items()]
    parts = []
    for cut in fitting(widths, max(map(len, first)), bar=2):
        shown = names[cut]
        body = [[what, *(heads[name][i] for name in shown)] for i, what in enumerate(first)]
        parts.append(grid([["phase", *shown]], body, bar="  "))
    title = f"Counted in each phase of one interval, at {functions.point(accounts[0].case)}"
    how = (
        "the interval whose instructions are the median; user + kernel = all of its own; foreign = of interrupts and "
        f"other tasks; {_flushes(names)} = ways to flush the TLB; ipi = interrupts sent to other CPUs"
        if found.exact
        else "means of the intervals; :u = user, :k = kernel; every counter as perf names it"
    )
    return "\n".join([paragraph(title), paragraph(tables.where(rows)), "", "\n\n".join(parts), note(how)])


def _flushes(names: list[str]) -> str:
    """Those of an architecture that flush the TLB."""
    return ", ".join(name for name in names if name in ("invlpg", "invpcid", "cr3", "tlbi", "ttbr"))


def _order(names: list[str]) -> list[str]:
    """Instructions first, then events as they were named."""
    known = [name for name in (USER, KERNEL, FOREIGN) if name in names]
    return [*known, *(name for name in names if name not in known)]
