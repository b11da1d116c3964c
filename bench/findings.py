# SPDX-License-Identifier: GPL-2.0-only
"""Sentences that follow from the data and its uncertainty: what was found, what was wrong, what is doubtful."""

from typing import Any

import numpy as np
import pandas as pd

from bench import doubts, results, stats, tables

CAVEATS = {
    "kvm": "Measured in a virtual machine: page faults and TLB flushes cost what the hypervisor makes them cost.",
    "tcg": "Measured under TCG, an emulation of every instruction: no time here is that of a real machine, and the "
    "ratios are indicative only.",
    "tcg-icount": "Measured under TCG with instruction counting: the clock counts instructions (1 instruction = 1 ns), "
    "not cycles: no caches, no TLB cost. It compares code paths and repeats closely; it tells no times, and the ratios "
    "are those of instructions.",
}
CASE = [*results.POINT, "form"]
WRONG_LINES = 5  # wrong cases named in full; the rest is counted


def wrong(rows: pd.DataFrame, name: str = "") -> list[str]:
    """Say, for the first lines, where anything was not exact: how often, which interface, where. Empty if nowhere."""
    counts = results.exactness(rows)
    bad = counts[counts["wrong_intervals"] > 0]
    if bad.empty:
        return []
    total = f"{bad['wrong_intervals'].sum()} of {counts['intervals'].sum()}"
    whose = f"{name}: " if name else ""
    lines = [f"WRONG PAGES: {whose}{total} intervals did not report exactly the pages that were written."]
    for _, row in bad.head(WRONG_LINES).iterrows():
        lines.append(
            f"{case(row)}: {row['wrong_intervals']} of {row['intervals']} intervals; {row['extra']} pages reported "
            f"but not written, {row['missed']} written but not reported"
        )
    if len(bad) > WRONG_LINES:
        lines.append(f"and {len(bad) - WRONG_LINES} more; see `extra` and `missed` in suite.json")
    return lines


def case(row: "pd.Series[Any]") -> str:
    """Name one row of a frame that has POINT and form: scan-wp, random 10%, 65536 pages."""
    return f"{row['form']}, {tables.describe(row.to_frame().T)}"


def case_name(one: Any) -> str:
    """Name one tuple of CASE as benchmarks are named: random pages=1000 dirty=10% scan-wp atomic."""
    kind = "" if one.kind == "anon" else f"kind={one.kind}"
    what = f"{one.workload} pages={one.pages} dirty={one.dirty_percent:g}%"
    return " ".join(filter(None, [what, kind, one.setting, one.form]))


def finding(rows: pd.DataFrame, host: dict[str, Any]) -> str:
    """The main result in two sentences: the headline at its largest mapping, and how it holds over all points."""
    top = results.foremost(rows)
    medians = stats.medians(top, ["form"], "cost")
    cost = medians["median"]
    point, challenger = tables.describe(top), results.challenger(rows)
    ratio = stats.ratios(top, results.POINT, "cost", results.LEGACY, challenger or "")
    ratio = ratio[np.isfinite(ratio["median"]) & (ratio["median"] > 0)]
    if challenger is None or ratio.empty:
        shown = ", ".join(
            f"{tables.us(row['median'])} us {tables.spread(row)} with {form}".replace("  ", " ")
            for form, row in medians.iterrows()
        )
        missing = [n for n in (results.LEGACY, results.IOCTL[1]) if not (rows["interface"] == n).any()]
        why = "; ".join(f"{n} was not measured ({_reason(n, host)})" for n in missing)
        return (
            f"One tracking interval costs {shown} ({point}; +- {tables.interval_name(medians)}). "
            f"No speedup: {why or 'lost in noise'}."
        )
    one = ratio.iloc[0]
    bounds = f", {tables.times(one['low'])} to {tables.times(one['high'])}" if one["units"] > 1 else ""
    text = (
        f"One tracking interval costs {tables.us(cost[results.LEGACY])} us with {results.LEGACY} + pagemap and "
        f"{tables.us(cost[challenger])} us with {challenger} ({point}): {tables.times(one['median'])} as fast"
        f"{bounds} ({tables.interval_name(ratio)}). {_overall(rows, challenger)}"
    )
    unpaired = cost[results.LEGACY] / cost[challenger]
    if min(one["median"], unpaired) < 1 < max(one["median"], unpaired):
        text += f" Round by round and by the medians ({tables.times(unpaired)}) the answer differs: too noisy to tell."
    return text


def _overall(rows: pd.DataFrame, challenger: str) -> str:
    """How the speedup holds over all points; a point counts only if its interval excludes 1."""
    ratios = stats.ratios(rows, results.POINT, "cost", results.LEGACY, challenger)
    known = ratios[np.isfinite(ratios["median"]) & (ratios["median"] > 0)]
    lost, ratios = len(ratios) - len(known), known
    faster, slower = (ratios["low"] > 1).sum(), (ratios["high"] < 1).sum()
    rising = ratios.sort_values("median").reset_index().to_dict("records")
    least, most = (
        f"{tables.times(one['median'])} ({tables.describe(pd.DataFrame([one]))})" for one in (rising[0], rising[-1])
    )
    by = f" (all {tables.units_name(ratios)} agree)" if ratios["units"].between(2, stats.ENOUGH - 1).all() else ""
    noise = f" In {lost} more the cost is lost in noise." if lost else ""
    return (
        f"Of {tables.many(len(ratios), 'point')}, each by its own interval, {challenger} is faster in {faster}, slower "
        f"in {slower}{by}, and in {len(ratios) - faster - slower} no difference can be told; from {least} to {most}."
        f"{noise}"
    )


def measured(rows: pd.DataFrame, host: dict[str, Any]) -> list[str]:
    """What was measured, how much of what was planned, whether every interval was exact, and what the numbers are."""
    points = rows[results.POINT].drop_duplicates()
    runs = len(rows[[*results.POINT, "process"]].drop_duplicates())
    checked = results.exactness(rows)
    names = ", ".join(rows["interface"].cat.remove_unused_categories().cat.categories)
    if "scan-" in names:
        names += " (scan-*: the PAGEMAP_SCAN ioctl)"
    lines = [
        f"Measured: suite {host.get('suite', '?')}, {tables.many(len(points), 'point')}, {tables.where(rows)}, "
        f"{rows.iloc[0]['cpu']}; {sample(rows)}; interfaces {names}; seed {host.get('seed', 'varies')}."
    ]
    exact = "all exact" if not checked["wrong_intervals"].any() else "not all exact, see above"
    lines += incomplete(rows, host)
    lines.append(
        f"Checked page by page: {checked['intervals'].sum()} intervals in {tables.many(runs, 'run')}, {exact}."
    )
    return lines + caveat(rows)


def incomplete(rows: pd.DataFrame, host: dict[str, Any], name: str = "") -> list[str]:
    """Say if fewer runs ended than were planned."""
    runs = len(rows[[*results.POINT, "process"]].drop_duplicates())
    planned = int(host.get("planned_runs", runs))
    return [f"INCOMPLETE: {f'{name}: ' if name else ''}{runs} of {planned} planned runs."] if runs < planned else []


def caveat(rows: pd.DataFrame) -> list[str]:
    """Say what the numbers of a virtual machine are."""
    where = str(rows.iloc[0]["where"])
    return [] if where == "bare-metal" else [CAVEATS.get(where, CAVEATS["kvm"])]


def sample(rows: pd.DataFrame) -> str:
    """How often each case was measured: 20 runs each (10 boots x 2), 1 value a run."""
    processes, boots = rows["process"].nunique(), rows["boot"].nunique()
    each = f"{boots} boots x {processes // boots}" if boots > 1 and processes % boots == 0 else f"{boots} boots"
    values = tables.many(int(rows["value"].max()) + 1, "value")
    return f"{tables.many(processes, 'run')} each ({'one boot' if boots == 1 else each}), {values} a run"


def doubtful(rows: pd.DataFrame, column: str = "cost", name: str = "") -> list[str]:
    """Warnings: too few runs, medians that are uncertain, values in two groups, values that drift. Empty if none."""
    found = doubts.doubts(rows, CASE, column)
    whose = f" of {name}" if name else ""
    lines = []
    medians = stats.medians(rows, CASE, column)
    if not medians["enough"].all():
        ran = tables.units_name(medians.loc[[medians["units"].idxmin()]])
        lines.append(f"Too few runs to say how sure a median{whose} is: {ran}; a 95% CI needs {stats.ENOUGH}.")
    sentences = (
        ("wide", f"the 95% CI of the median{whose} is wider than +-{100 * doubts.WIDE:.0f}%", "+-{:.0f}%"),
        ("split", f"the runs{whose} fall into two groups", "{:.1f}% apart"),
        ("drift", f"the times{whose} drift from the first third of the runs to the last", "{:+.1f}%"),
    )
    for column_, text, size in sentences:
        bad = found[column_].dropna()
        if not bad.empty:
            worst: Any = bad.abs().idxmax()
            row = pd.Series(dict(zip(CASE, worst if isinstance(worst, tuple) else (worst,), strict=True)))
            lines.append(
                f"In {len(bad)} of {tables.many(len(found), 'case')} {text}: up to "
                f"{size.format(100 * bad[worst])} ({case(row)})."
            )
    return [f"Doubt: {line}" for line in lines]


def not_measured(host: dict[str, Any]) -> list[str]:
    """Which interfaces could not be measured, each with the reason."""
    prefix = "unavailable:"
    missing = [key.removeprefix(prefix) for key in host if key.startswith(prefix)]
    return [f"Not measured: {name}: {_reason(name, host)}." for name in missing]


def _reason(interface: str, host: dict[str, Any]) -> str:
    return str(host.get(f"unavailable:{interface}", "not asked for"))
