# SPDX-License-Identifier: GPL-2.0-only
"""Sentences that follow from the data and its uncertainty: what was found, what was wrong, what is doubtful."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.harmless import harmless
from bench.plan.interfaces import INTERFACES, LEGACY, WRITTEN, Interface, form
from bench.plan.kernel_log import MANY
from bench.plan.records import CRASHED, HUNG, Messages
from bench.report import numbers, tables
from bench.report.numbers import many, times
from bench.stats import choice, diagnostics, samples
from bench.stats.machines import between, levelled
from bench.store import frames, log
from bench.store.frames import CASE, POINT
from bench.store.verdicts import Cell

CAVEATS = {
    "kvm": "Measured in a virtual machine: page faults and TLB flushes cost what the hypervisor makes them cost.",
    "tcg": "Measured under TCG, an emulation of every instruction: no time here is that of a real machine, and the "
    "ratios are indicative only.",
    "tcg-icount": "Measured under TCG with instruction counting: these are instructions, not cycles: no caches, no TLB "
    "cost. They compare code paths and repeat closely; they say nothing about speed.",
}
VAGUE = 0.25  # of an estimate: one whose uncertainty is wider from end to end is no headline
QUIETER = "Measure more (--processes, --boots), or on a quieter machine: ./bench.py probe names what disturbs."
WRONG_LINES = 5  # wrong cases named in full; the rest is counted
_LONGEST = 400  # characters of why a boot came to no end
_SCAN = "PAGEMAP_SCAN"
IOCTL_NAME = next(row.name for row in INTERFACES.values() if row.role == "ioctl")


def wrong(rows: pd.DataFrame, result: frames.Result, name: str = "") -> list[str]:
    """Say, for the first lines, where anything was not exact: in which probe, how often, which pages. Empty if nowhere.

    Every case of rows (of frames.intervals()), and the findings of the result's probes.
    """
    whose = f"{name}: " if name else ""
    lines = findings(result.findings, name)
    counts = frames.exactness(rows)
    bad = counts[counts["wrong_intervals"] > 0]
    if bad.empty:
        return lines
    total = f"{bad['wrong_intervals'].sum()} of {counts['intervals'].sum()}"
    rows_of = {form(row.name, i): row for row in INTERFACES.values() for i in row.forms}
    wrongs = {name: rows_of[name] for name in dict.fromkeys(bad["form"].astype(str)) if name in rows_of}
    done = " or ".join(sorted({row.prop for row in wrongs.values()}, reverse=True)) or WRITTEN
    lines.append(f"WRONG PAGES: {whose}{total} intervals did not report exactly the pages that were {done}.")
    for _, row in bad.head(WRONG_LINES).iterrows():
        example = result.examples.get(tuple(row[key] for key in CASE), "")
        done = wrongs[row["form"]].prop if row["form"] in wrongs else WRITTEN
        lines.append(
            f"{case(row)}: {row['wrong_intervals']} of {row['intervals']} intervals; {row['extra']} pages reported "
            f"but not {done}, {row['missed']} {done} but not reported{f' (first {example})' if example else ''}"
        )
    if len(bad) > WRONG_LINES:
        lines.append(f"and {len(bad) - WRONG_LINES} more cases; ./bench.py report NAME --all shows each")
    return lines + _known_of([row for row in INTERFACES.values() if row in wrongs.values() and not row.flushes])


def _known_of(rows: Sequence[Interface]) -> list[str]:
    """What explains wrong pages of interfaces that do not see everything."""
    if not all(row.prop == WRITTEN for row in rows):
        return [f"Known of {row.name}: {row.misses}." for row in rows]
    names = " and ".join(row.name for row in rows)
    text = "a reset leaves TLB entries, through which what was written before is written again unseen."
    return [f"Known of {names}: {text}"] if names else []


def fallen(boots: Sequence[str], name: str = "") -> list[str]:
    """Say, before all else, which boots came to no end: what is said of the others is not all that happened."""
    whose = f"{name}: " if name else ""
    lines = [f"{whose}{harmless(one, _LONGEST).rstrip('.')}." for one in boots[:WRONG_LINES]]
    more = len(boots) - len(lines)
    return [*lines, *([f"{whose}and {many(more, 'more boot')} like it."] if more else [])]


def ended(cells: Mapping[tuple[str, str], Cell]) -> list[str]:
    """Of verdicts: which plays the kernel did not survive, or came to no end."""
    return [
        f"{cell.kind.upper()}: {name}, {scenario}: {cell.why}."
        for (scenario, name), cell in cells.items()
        if cell.kind in (CRASHED, HUNG)
    ]


def findings(found: Mapping[str, str], name: str = "") -> list[str]:
    """What probes found wrong: which interface, and what was asked, written and reported, in pages by index."""
    whose = f"{name}: " if name else ""
    return [f"WRONG: {whose}{what}: {text.rstrip('.')}." for what, text in found.items()]


def kernel_log(messages: Mapping[int, Messages], name: str = "") -> list[str]:
    """What the kernel's log complained of, over all boots, with the first lines; empty where nobody looked into it."""
    if not messages:
        return []
    whose = f" of {name}" if name else ""
    counts = log.complaints(messages)
    unreadable = next((one.unreadable for one in messages.values() if one.unreadable), "")
    partly = f" (not all of it could be read: {unreadable})" if unreadable else ""
    floods = flooded(messages, name)
    if counts:
        shown = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        boots = f" in {many(len(messages), 'boot')}" if len(messages) > 1 else ""
        first = dict.fromkeys(line for one in messages.values() for line in one.first)
        kept = list(first)[:WRONG_LINES]
        first_lines = [f"KERNEL LOG{whose}: {shown}{boots}{partly}; first: {kept[0] if kept else 'unknown'}", *kept[1:]]
        return [*floods, *first_lines]
    if unreadable and not any(not one.unreadable for one in messages.values()):
        return [f"Kernel log{whose}: not readable ({unreadable})."]
    return floods or [f"Kernel log{whose}: clean{partly}."]


def flooded(messages: Mapping[int, Messages], name: str = "") -> list[str]:
    """Say where a kernel printed many lines while it was measured: on a console each takes milliseconds of a CPU."""
    many_said = {boot: one.lines for boot, one in messages.items() if one.lines > MANY}
    if not many_said:
        return []
    boot = max(many_said, key=lambda boot: many_said[boot])
    whose = f" of {name}" if name else ""
    of = f", and in {len(many_said) - 1} more of {len(messages)} more than {MANY}" if len(many_said) > 1 else ""
    return [
        f"Kernel log{whose}: {many_said[boot]:,} lines were printed while boot {boot} was measured{of}: times may be "
        "of printing them."
    ]


def case(row: "pd.Series[Any]") -> str:
    """Name one row of a frame that has POINT and form: scan-wp, random 10%, 65536 pages."""
    return f"{row['form']}, {tables.describe(row.to_frame().T)}"


def finding(rows: pd.DataFrame, result: frames.Result) -> str:
    """The main result in two sentences: the headline at its largest mapping, and how it holds over all points."""
    top = choice.foremost(rows)
    medians = samples.medians(top, ["form"], "cost")
    challenger = choice.challenger(rows)
    ratio = _usable(samples.ratios(top, POINT, "cost", LEGACY, challenger or ""))
    if challenger is None or ratio.empty:
        return _alone(top, medians, result)
    if vague(ratio.iloc[0]):
        return f"{_withheld(top, ratio, challenger)} {_overall(rows, challenger)}".strip()
    text = f"{_headline(top, medians, ratio, challenger)} {_overall(rows, challenger)}".strip()
    paired = float(ratio["median"].iloc[0])
    unpaired = medians["median"][LEGACY] / medians["median"][challenger]
    if min(paired, unpaired) < 1 < max(paired, unpaired):
        text += f" Round by round and by the medians ({times(unpaired)}) the answer differs: too noisy to tell."
    return text


def _usable(ratios: pd.DataFrame) -> pd.DataFrame:
    """Those that noise has left."""
    found: pd.DataFrame = ratios[np.isfinite(ratios["median"]) & (ratios["median"] > 0)]
    return found


def vague(row: "Mapping[Any, Any] | pd.Series[Any]") -> bool:
    """Whether what is known of an estimate reaches over more than VAGUE of it: that is no headline."""
    return bool(row["units"] > 1 and row["high"] - row["low"] > VAGUE * abs(row["median"]))


def _withheld(top: pd.DataFrame, ratio: pd.DataFrame, challenger: str) -> str:
    """Say why there is no headline, and what to do."""
    one, legacy = ratio.iloc[0], INTERFACES[LEGACY].heading or LEGACY
    width = 100 * (one["high"] - one["low"]) / one["median"]
    return (
        f"WITHHELD: the {numbers.unit(top).ratio} of {challenger} over {legacy} ({tables.describe(top)}): what is "
        f"known of it is {width:.0f}% wide ({tables.interval_name(ratio)}), more than {100 * VAGUE:.0f}%. {QUIETER}"
    )


def _headline(top: pd.DataFrame, medians: pd.DataFrame, ratio: pd.DataFrame, challenger: str) -> str:
    """The two interfaces at one point: takes 22467 us ..., or executes 1.80x fewer instructions: 12.5 M against ..."""
    unit, one, point = numbers.unit(top), ratio.iloc[0], tables.describe(top)
    legacy = INTERFACES[LEGACY].heading or LEGACY
    old, new = (float(medians["median"][form]) for form in (LEGACY, challenger))
    if unit.counted:
        amounts = f"{numbers.bare(new, unit)} against {numbers.bare(old, unit)}"
        return (
            f"One tracking interval with {challenger} executes {numbers.against(one['median'], unit)} than with "
            f"{legacy}: {amounts} ({point}; {spread(ratio)})."
        )
    bounds = f", {times(one['low'])} to {times(one['high'])}" if one["units"] > 1 else ""
    return (
        f"One tracking interval costs {numbers.spoken(old, unit)} with {legacy} and {numbers.spoken(new, unit)} with "
        f"{challenger} ({point}): {numbers.against(one['median'], unit)}{bounds} ({tables.interval_name(ratio)})."
    )


def spread(estimates: pd.DataFrame) -> str:
    """How far the units that counts were taken in lie apart, and what that does not mean."""
    units, halves = tables.units_name(estimates), [samples.half_width(row) for _, row in estimates.iterrows()]
    known = [half for half in halves if np.isfinite(half)]
    apart = f"spread over {units} {numbers.repeats(max(known))}" if known else f"{units} only"
    return f"{apart}; says nothing about hardware"


def _alone(top: pd.DataFrame, medians: pd.DataFrame, result: frames.Result) -> str:
    """The finding where there is no ratio to tell."""
    unit = numbers.unit(top)
    lost = medians[[vague(row) for _, row in medians.iterrows()]].index
    shown = ", ".join(
        f"{numbers.spoken(row['median'], unit)} {numbers.spread(row)} with {form}".replace("  ", " ")
        for form, row in medians.drop(lost).iterrows()
    )
    missing = [n for n in (LEGACY, IOCTL_NAME) if not (top["interface"] == n).any()]
    why = "; ".join(f"{n} was not measured ({result.unavailable.get(n, 'not asked for')})" for n in missing)
    verb = "executes" if unit.counted else "costs"
    parts = [f"One tracking interval {verb} {shown} ({tables.describe(top)}; +- = {tables.interval_name(medians)})."]
    if len(lost):
        names = ", ".join(map(str, lost))
        parts.append(f"WITHHELD, since it is known to no better than {100 * VAGUE:.0f}%: that of {names}. {QUIETER}")
    return " ".join([*(parts if shown else parts[1:]), f"No {unit.ratio}: {why or 'lost in noise'}."])


def _overall(rows: pd.DataFrame, challenger: str) -> str:
    """How the ratio holds over all points, where there are several; a point counts only if its range excludes 1."""
    ratios = samples.ratios(rows, POINT, "cost", LEGACY, challenger)
    if len(ratios) < 2:
        return ""
    known, unit, over = _usable(ratios), numbers.unit(rows), many(len(ratios), "point")
    less, more = int((known["low"] > 1).sum()), int((known["high"] < 1).sum())
    unclear, lost = len(known) - less - more, len(ratios) - len(known)
    at = {count: "each" if count == len(ratios) else str(count) for count in (less, more)}
    parts = [f"{unit.less} at {at[less]}"] * bool(less)
    parts += [f"{unit.more.split()[0] if less else unit.more} at {at[more]}"] * bool(more)
    agree = known["units"].between(2, samples.ENOUGH - 1).all() and not unit.counted
    by = f" (all {tables.units_name(known)} agree)" if agree else ""
    clauses = [f"{challenger} {'executes' if unit.counted else 'is'} {' and '.join(parts)}{by}"] if parts else []
    clauses += [f"at {unclear} the two can't be told apart"] * bool(unclear)
    clauses += [f"at {lost} a cost is lost in noise"] * bool(lost)
    return f"Over {over}: {'; '.join(clauses)}.{_extent(rows, known, unit)}"


def _extent(rows: pd.DataFrame, known: pd.DataFrame, unit: numbers.Unit) -> str:
    """The least and the greatest ratio, of those that are known well enough and are about the mapping."""
    above = known[known.index.isin(pd.MultiIndex.from_frame(choice.above_floor(rows)[POINT].drop_duplicates()))]
    sure = above[[not vague(row) for _, row in above.iterrows()]]
    if len(sure) < 2:
        return ""
    rising = sure.sort_values("median").reset_index().to_dict("records")
    ends = [f"{times(one['median'])} ({tables.describe(pd.DataFrame([one]))})" for one in (rising[0], rising[-1])]
    where = f", at the {len(above)} of them above the floor of {LEGACY}" if len(above) < len(known) else ""
    return f" The {unit.ratio} goes from {ends[0]} to {ends[1]}{where}."


def floor(rows: pd.DataFrame, result: frames.Result) -> list[str]:
    """Say what the legacy interface costs with nothing to track, where that was measured, and why."""
    least, unit, host = choice.floor(rows), numbers.unit(rows), result.host
    if np.isnan(least):
        return []
    known = all(key in host for key in frames.WORKER)
    what = f" of {host['worker_vmas']:.0f} VMAs and {host['worker_resident_bytes'] / 2**20:.1f} MiB" if known else ""
    points = rows.loc[rows["form"] == LEGACY, POINT].drop_duplicates()
    above = choice.above_floor(rows)[POINT].drop_duplicates()
    return [
        f"Floor of {LEGACY}: it walks the whole process, here a worker{what}. With nothing written to a mapping of one "
        f"page an interval {'executes' if unit.counted else 'takes'} {numbers.spoken(least, unit)}; at {len(above)} of "
        f"{many(len(points), 'point')} it is at least {choice.ABOVE} times as much, and only there a {unit.ratio} is "
        "about the mapping."
    ]


def measured(rows: pd.DataFrame, result: frames.Result) -> list[str]:
    """What was measured, how much of what was planned, whether every interval was exact, and what the numbers are."""
    points = rows[POINT].drop_duplicates()
    checked = frames.exactness(rows)
    known, host = list(rows["interface"].cat.remove_unused_categories().cat.categories), result.host
    scans = [name for name in known if name in INTERFACES and _SCAN in INTERFACES[name].summary]
    names = ", ".join(known) + (f" ({', '.join(scans)}: the {_SCAN} ioctl)" if scans else "")
    lines = [
        f"Measured: suite {host.get('suite', '?')}, {many(len(points), 'point')}, {tables.where(rows)}, "
        f"{rows.iloc[0]['cpu']}; {sample(rows)}; interfaces {names}; seed {host.get('seed', 'varies')}."
    ]
    exact = "all exact" if not checked["wrong_intervals"].any() else "not all exact, see above"
    lines += incomplete(rows, result)
    lines.append(f"Checked page by page: {checked['intervals'].sum()} intervals in {many(runs(rows), 'run')}, {exact}.")
    lines += kernel_log(result.messages)
    return [*lines, *floor(rows, result), *caveat(rows)]


def runs(rows: pd.DataFrame) -> int:
    """How many processes measured a point."""
    return len(rows[[*POINT, "process"]].drop_duplicates())


def incomplete(rows: pd.DataFrame, result: frames.Result, name: str = "") -> list[str]:
    """Say if fewer runs ended than were planned, and what else is to be known of the file."""
    whose, ended = f"{name}: " if name else "", runs(rows)
    short = ended < result.planned
    lines = [f"INCOMPLETE: {whose}{ended} of {result.planned} planned runs."] if short else []
    return lines + [f"{whose}{note.rstrip('.')}." for note in result.notes]


def caveat(rows: pd.DataFrame) -> list[str]:
    """Say what the numbers of a virtual machine are."""
    where = str(rows.iloc[0]["where"])
    return [] if where == "bare-metal" else [CAVEATS.get(where, CAVEATS["kvm"])]


def sample(rows: pd.DataFrame) -> str:
    """How often each case was measured: 20 runs each (10 boots x 2), 1 value a run."""
    processes, boots = rows["process"].nunique(), rows["boot"].nunique()
    each = f"{boots} boots x {processes // boots}" if boots > 1 and processes % boots == 0 else f"{boots} boots"
    values = many(int(rows["round"].max()) + 1, "value")
    return f"{many(processes, 'run')} each ({'one boot' if boots == 1 else each}), {values} a run"


def doubtful(rows: pd.DataFrame, column: str = "cost", name: str = "") -> list[str]:
    """Warnings: too few runs, medians that are uncertain, values in two groups, values that drift. Empty if none.

    What is between the machines of a merged result is no doubt: machines() says it.
    """
    rows = levelled(rows, rows, column)[0]
    found = diagnostics.doubts(rows, CASE, column)
    whose = f" of {name}" if name else ""
    lines = []
    medians, counted = samples.medians(rows, CASE, column), samples.counted(rows)
    units = f"{medians['unit'].iloc[0]}s".replace("processs", "processes")
    if not medians["enough"].all():
        ran = tables.units_name(medians.loc[[medians["units"].idxmin()]])
        least = "it takes two" if counted else f"a 95% CI needs {samples.ENOUGH}"
        lines.append(f"Too few runs to say how sure a median{whose} is: {ran}; {least}.")
    wide = (
        (f"the {units}{whose} differ from their median by more than {100 * diagnostics.WIDE_COUNTED:.0f}%", "{:.1f}%")
        if counted
        else (f"the 95% CI of the median{whose} is wider than +-{100 * diagnostics.WIDE:.0f}%", "+-{:.0f}%")
    )
    what = "counts" if counted else "times"
    sentences = {
        "wide": wide,
        "split": (f"the {units}{whose} fall into two groups", "{:.1f}% apart"),
        "drift": (f"the {what}{whose} drift from the first third of the {units} to the last", "{:+.1f}%"),
    }
    for key, (text, size) in sentences.items():
        bad = found[key].dropna()
        if not bad.empty:
            worst: Any = bad.abs().idxmax()
            row = pd.Series(dict(zip(CASE, worst if isinstance(worst, tuple) else (worst,), strict=True)))
            lines.append(
                f"In {len(bad)} of {many(len(found), 'case')} {text}: up to {size.format(100 * bad[worst])} "
                f"({case(row)})."
            )
    return [f"Doubt: {line}" for line in lines]


def not_measured(result: frames.Result) -> list[str]:
    """Which interfaces could not be measured, each with the reason."""
    return [f"Not measured: {name}: {why}." for name, why in result.unavailable.items()]


def machines(rows: pd.DataFrame) -> list[str]:
    """How far the machines of a merged result are apart; empty where it is of one."""
    found = between(rows)
    if found is None:
        return []
    far, within, most = (numbers.digits(100 * part) for part in (found.usual, found.within, found.most))
    return [
        f"Between machines: the medians of {', '.join(found.machines)} are {far}% apart in the middle case, at most "
        f"{most}% ({case(pd.Series(found.worst._asdict()))}); boots of one machine {within}%."
    ]


def cut(rows: pd.DataFrame) -> list[str]:
    """Which forms left more VMAs than there were, and how many; empty where none did."""
    more = rows[rows["vmas_left"] > rows["vmas"]]
    if more.empty:
        return []
    found = []
    for row in more.sort_values("vmas_left").drop_duplicates("form", keep="last").to_dict("records"):
        where = tables.describe(pd.DataFrame([row]))
        found.append(f"{row['form']} into up to {row['vmas_left']} ({where}, of {row['vmas']})")
    return [f"VMAs that were cut by the end of the intervals: {'; '.join(found)}."]
