# SPDX-License-Identifier: GPL-2.0-only
"""Sentences about a comparison: the verdict, what --fail-on says, what a reader must know beside it."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.plan.kernel_log import MANY
from bench.plan.records import PHASES
from bench.report import numbers, sentences
from bench.report.numbers import many, percent
from bench.stats.comparison import Comparison, Differs, case_name

METRICS = {
    "cost": "all phases less the untracked writes",
    "interval": "all phases",
    "tracker": "the tracker's phases",
    "tracked": "the tracked program's writes less the untracked ones",
    **{phase: f"phase {phase}" for phase in PHASES},
    "life": "the life of a tracker, with one interval",
    "bystanders_median": "a bystander's operation",
    "bystanders_p99": "99th percentile of a bystander's operations",
    "bystanders_max": "the slowest of a bystander's operations",
    "bystanders_each": "a bystander's operations, one after the other, each",
    "bystanders_reset": "a bystander's operation that meets a reset",
    "bystanders_dirty": "a bystander's operation that meets the writes",
    "bystanders_collect": "a bystander's operation that meets a collect",
}
FACTS = {
    "where": "kind of machine",
    "architecture": "architecture",
    "cpu_model_name": "CPU",
    "cpu_count": "CPUs",
    "page_size": "page size",
    "kernel_config": "kernel config",
    "cmdline": "kernel command line",
    "mitigations": "mitigations",
    "thp_enabled": "THP setting",
    "governor": "governor",
    "numa_balancing": "NUMA balancing",
    "ksm_run": "KSM",
    "seed": "seed",
    "suite_version": "suite version",
    "schema": "schema",
    "memory_bytes": "RAM, MiB",
    "worker_vmas": "VMAs of the worker",
    "worker_resident_bytes": "memory of the worker, KiB",
}


def verdict(made: Comparison, sign: str = "change") -> str:
    """The main result of a comparison, with its uncertainty. Its first words are the answer."""
    return " ".join(_verdict(made, one.name, sign) for one in made.sides[1:])


def _verdict(made: Comparison, name: str, sign: str) -> str:
    rows = made.frame[made.frame["new_name"] == name]
    whose = f" of {name}" if len(made.sides) > 2 else ""
    found = rows[rows["significant"]]
    if not made.decidable(name):
        few = f"it takes {made.needed()} {units(made, name)} or more in each result"
        if made.counted:
            return f"Too few runs for a verdict{whose}: {few}."
        tests = many(made.tests, "test")
        return (
            f"Too few runs for a verdict{whose}: among {tests} no difference can be significant; {few}, or fewer "
            "cases (--filter)."
        )
    basis = _basis(made, name, sign)
    if found.empty:
        cases = many(len(rows), "case")
        what = f"No significant difference{whose} in {cases}"
        if made.counted:
            what = f"No difference{whose} in {cases} beyond what {units(made, name)} differ by"
        return f"{what} ({basis}{_sure(made, rows)})."
    unit, parts = numbers.unit(rows), []
    for some, word in ((found[found["ratio"] < 1], unit.less), (found[found["ratio"] > 1], unit.more)):
        if not some.empty:
            most = some.loc[(np.log(some["ratio"])).abs().idxmax()]
            parts.append(f"{len(some)} {_verb(len(some), made)} {word}, {_furthest(len(some))} {_extent(most)}")
    beyond = f" by more than their {units(made, name)} do" if made.counted else ""
    return f"{len(found)} of {many(len(rows), 'case')}{whose} differ{beyond}: {'; '.join(parts)} ({basis})."


def _verb(count: int, made: Comparison) -> str:
    one, several = ("executes", "execute") if made.counted else ("is", "are")
    return one if count == 1 else several


def _furthest(count: int) -> str:
    return "by" if count == 1 else "by up to"


def _basis(made: Comparison, name: str, sign: str) -> str:
    """What a verdict stands on: the test and the geometric mean."""
    of = units(made, name)
    ratio, low, high = made.geomean(name, "")
    mean = f"geomean {percent(ratio, sign)}"
    mean += f", 95% CI {percent(low, sign)} to {percent(high, sign)}" if math.isfinite(low) else ""
    if made.counted:
        return mean
    within = " within one boot of each" if of == "processes" else ""
    return f"Mann-Whitney on {of}{within}, Holm over {many(made.tests, 'test')}, {made.alpha:g}; {mean}"


def _sure(made: Comparison, rows: pd.DataFrame) -> str:
    """How small a change could have been seen."""
    half = ((rows["high"] - rows["low"]) / 2 / rows["ratio"])[rows["enough"]].median()
    if math.isnan(half):
        return ""
    what = "cases repeat" if made.counted else "changes are known"
    return f"; half of the {what} to +-{numbers.digits(100 * half)}% or better"


def _extent(row: "pd.Series[Any]") -> str:
    """By how much one row of Comparison.frame differs, without its sign, how surely, and which case it is."""
    up = 1 if row["ratio"] > 1 else -1
    shown, *ends = (f"{numbers.signed(100 * up * (row[key] - 1))}%" for key in ("ratio", "low", "high"))
    kind = "95% CI" if row["enough"] and math.isfinite(row["p"]) else "range"
    between = f"; {kind} {' to '.join(ends[::up])}" if set(ends) != {shown} else ""  # "2.9% to 2.9%" tells nothing
    return f"{shown} ({sentences.case(row)}{between})"


def failure(made: Comparison, limit: float) -> str:
    """What --fail-on says of cases that are more than `limit` percent above the base; empty if there is none."""
    worse = made.regressions(limit / 100)
    if worse.empty:
        return ""
    unit, count = numbers.unit(worse), len(worse)
    what = f"{_verb(count, made)} {'' if made.counted else 'significantly '}more than {limit:g}% {unit.more}"
    return f"{count} of {many(len(made.frame), 'case')} {what}, {_furthest(count)} {_extent(worse.iloc[-1])}"


def warnings(made: Comparison) -> list[str]:
    """What a reader must know beside the verdict: what else differed, what is missing, what is doubtful."""
    base, *others = made.sides
    lines = []
    for other in others:
        ran = [sentences.sample(one.rows) for one in (base, other)]
        runs = [f"runs ({ran[0]} against {ran[1]})"] if ran[0] != ran[1] else []
        lines += surroundings((base.name, other.name), made.differing[other.name], runs)
    for (has, lacks), cases in made.lacking.items():
        first = min(map(case_name, cases))
        lines.append(f"{many(len(cases), 'case')} of {has} not in {lacks}, such as: {first}.")
    for name, means in made.by_machine.items():
        if means:
            each = ", ".join(f"{machine} {percent(ratio)}" for machine, ratio in means.items())
            lines.append(f"By machine, {name}: {each} (geomeans); a change is claimed where all machines see it.")
    lines += _drift(made)
    if made.one_boot:
        lines.append(
            f"One boot only ({', '.join(made.one_boot)}): what changes from boot to boot can't be told from what the "
            "kernel changed. In a virtual machine, --boots measures several."
        )
    lines += floods(made)
    for one in made.sides:
        lines += sentences.incomplete(one.whole, one.result, one.name)
        lines += sentences.kernel_log(one.result.messages, one.name)
        lines += sentences.doubtful(one.rows, made.metric, one.name)
    return lines


def surroundings(names: tuple[str, str], found: Sequence[Differs], more: Sequence[str] = ()) -> list[str]:
    """Say what else than the kernel differs, and of what that can't be told; nothing where nothing does."""
    differing = [*(f"{FACTS[one.fact]} ({_both(one)})" for one in found if one.told), *more]
    lines = [f"{names[0]} and {names[1]} differ in more than the kernel: {'; '.join(differing)}."] if differing else []
    untold = [one for one in found if not one.told]
    both = zip(names, ([one for one in untold if (one.base is None) == first] for first in (True, False)), strict=True)
    return lines + [
        f"Unknown of {name}: {', '.join(FACTS[one.fact] for one in lacks)}; whether it is that of the other can't be "
        "told."
        for name, lacks in both
        if lacks
    ]


def floods(made: Comparison) -> list[str]:
    """Where only the one kernel or the other printed much: what differs then may be that."""
    base, *others = made.sides
    lines = []
    for other in others:
        printed = {
            one.name: max((log.lines for log in one.result.messages.values()), default=0) for one in (base, other)
        }
        if min(printed.values()) <= MANY < max(printed.values()):
            told = " and ".join(f"{name} {count:,} lines" for name, count in printed.items())
            lines.append(
                f"Printing: of kernel log, {told} in a boot: a difference between them may be that of printing."
            )
    return lines


def _drift(made: Comparison) -> list[str]:
    """How far the base's boots drifted apart, where kernels took turns."""
    found = made.drift
    if not found:
        return []
    limits = "" if made.counted else "; no change that is smaller than that is claimed"
    worst = f"{numbers.percent(found.worst)} at most ({sentences.case(pd.Series(found.case._asdict()))})"
    return [
        f"Drift: from the first to the second half of its {found.boots} boots, which took turns with the others, "
        f"{made.sides[0].name} changed by {numbers.percent(found.ratio)} (geomean of all cases){limits}; {worst}."
    ]


def _both(one: Differs) -> str:
    values = [one.base, one.new]
    units = {"memory_bytes": 2**20, "worker_resident_bytes": 2**10, "worker_vmas": 1}
    if one.fact in units:
        values = [f"{value / units[one.fact]:.0f}" for value in values]
    shown = [str(value) or "nothing" for value in values]
    return " against ".join(shown)


def units(made: Comparison, name: str) -> str:
    """What was compared with the base: boots, or processes where both had one boot."""
    return many(2, made.unit(name)).removeprefix("2 ")
