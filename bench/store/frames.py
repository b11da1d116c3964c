# SPDX-License-Identifier: GPL-2.0-only
"""Results as pandas frames: the only place that turns records into rows, and what an interval or a wrong page is."""

import gc
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench import place
from bench.errors import BadInput
from bench.plan.interfaces import INTERFACES, UNTRACKED, form
from bench.plan.plan import Plan
from bench.plan.points import Point
from bench.plan.records import (
    INSTRUCTIONS,
    PHASES,
    POPULATE,
    TIME,
    WAITS,
    Facts,
    Machine,
    Messages,
    Record,
    Series,
    Timed,
    wrong_intervals,
)
from bench.store import log, old

POINT = ["workload", "kind", "pages", "dirty_percent", "setting"]  # what tells points apart; setting: all other fields
FORM = ["interface", "atomic"]
CASE = [*POINT, "form"]
CYCLES = "cycles"  # of the time stamp counter: a quantity that times can be had in
UNITS = {TIME: "second", INSTRUCTIONS: "instruction", CYCLES: "cycle", "pages": "page"}  # by quantity
BESIDE = {"bystanders_phase": "slowest", "bystanders_pause_us": "pause_us", "bystanders_urgent": "urgent"}
NOBODY: dict[str, Any] = {"bystanders": "", "bystanders_phase": "", "bystanders_pause_us": 0, "bystanders_urgent": 0}
COUNTS = ["intervals", "wrong_intervals", "extra", "missed"]
KERNEL = "kernel"  # the counter that only exact results have
SCALE = {TIME: 1e-9, INSTRUCTIONS: 1.0}  # from nanoseconds of the clock

WORKER = ("worker_vmas", "worker_resident_bytes")  # what clear_refs walks besides the mapping
_WORDS = ("suite", "workload", "kind", "setting", "file_system", "interface", "phase", "where", "kernel_release", "cpu",
          "sharing", "populate", "masks", "machine", "bystanders", "bystanders_phase", "then", "orders_before",
          "orders_after")  # fmt: skip
_WHOLE = ("pages", "writes", "written_pages", "accessed_pages", "boot", "process", "seed", *COUNTS, "overlapped",
          "vmas_left", "periods", "late", "orders_changed")  # fmt: skip
PAGE = 4096  # bytes, where nobody says otherwise
# Of older results.
_LACKING = {
    "exact": False,
    "page_size": PAGE,
    "periods": 0,
    "late": 0,
    "orders_before": "",
    "orders_after": "",
    "orders_changed": 0,
}
_NONE: dict[Any, Any] = {}  # nobody adds to it
RENAMED = {"populate": "populated_by", "life": "life_ends"}  # settings whose names are measures of intervals()
_MEASURES = ["interval", "untracked", "cost", "tracker", "tracked", "residue", "life"]


class Result(NamedTuple):
    """A result of timings. frame: tidy, one row per value; the rest is what its machines and its plan say.

    Columns of frame: the point (POINT, and every field of Point, typed), `interface`, `atomic`, `phase`, `boot`,
    `process`, `round` (number of the value in its process), `quantity`, `unit`, `value`; and what is known of the whole
    process at that point: `intervals`, `wrong_intervals`, `extra`, `missed`, `overlapped` (pages, over all intervals),
    `periods` and `late` (of writers that have a rhythm), `vmas_left`, `orders_before`, `orders_after` (of folios:
    4:16384 none:12; empty: nobody looked), `orders_changed`, `writes`, `written_pages`, `accessed_pages`, `suite`,
    `seed`, `file_system`, `where`, `kernel_release`, `cpu`, `tsc_hz`, `page_size`;
    of its bystanders WAITS (in the frame's unit, NaN without any), `bystanders_phase` (which the slowest operation
    overlapped), `bystanders_pause_us` and `bystanders_urgent` as in records.Beside;
    `exact`: the instructions of the value's own work were counted, without interrupts and other tasks.

    host: facts that all boots share (numbers that differ from boot to boot as their median, words as all of them),
    `suite`, `seed`, `command`, `suite_version`, and the median of the WORKER's facts; boots: the facts of each;
    unavailable: by interface, or form and point, why it is missing;
    planned: how many processes were to measure a point; notes: what a reader must know of the file; fallen: which boots
    came to no end. findings: by
    interface, or interface and memory, what its probe found wrong; messages: what the kernel's log said, by boot;
    examples: by CASE, pages of a wrong report; more_counts: store/ledger.py has more than the values.
    """

    name: str
    frame: pd.DataFrame
    host: dict[str, Any]
    unavailable: dict[str, str]
    planned: int
    notes: list[str]
    boots: dict[int, Facts] = _NONE
    findings: dict[str, str] = _NONE
    messages: dict[int, Messages] = _NONE
    examples: dict[tuple[Any, ...], str] = _NONE
    more_counts: bool = False
    fallen: Sequence[str] = ()


def load(folder: Path) -> Result:
    """Read the result in a folder: its log, or what older versions wrote.

    Raises BadInput for a result that is missing, damaged, of another program or a later version.
    """
    gc.disable()  # 200,000 objects, none of them garbage: collecting twice as long as reading
    try:
        if path := log.find(folder):
            found, torn = log.read(path)
            return _of_records(log.name_of(folder), found, path, [torn] if torn else [])
        return _of_old(folder)
    finally:
        gc.enable()


def _of_records(name: str, found: Sequence[Record], path: Path, notes: list[str]) -> Result:
    plan = next((record for record in found if isinstance(record, Plan)), None)
    if plan is None:
        raise BadInput(f"{path} has no plan in its first line", log.HINT)
    machines = {record.boot: record for record in found if isinstance(record, Machine)}
    timed = [record for record in found if isinstance(record, Timed)]
    fallen, failed = log.failures(found)
    notes += failed
    if not timed:
        if plan.scenarios:
            command = f"./bench.py report {place.called(path.parent)}"
            raise BadInput(
                f"{path.parent} is a result of the suite meaning, which has no times",
                f"{command} takes it, with others of its kind: one table over kernels",
            )
        why = f": {fallen[0]}" if fallen else ""
        raise BadInput(f"{path} has no values{why}", "the run ended before its first worker did; measure again")
    runs = [(record, one) for record in timed for one in record.series]
    columns, shared = _columns(plan, machines, runs)
    values = [(phase, some) for _, one in runs for phase, some in one.values.items()]
    repeat = [len(one.values) for _, one in runs]
    spread = {key: list(chain.from_iterable([x] * n for x, n in zip(column, repeat, strict=True)))
              for key, column in columns.items()}  # fmt: skip
    spread["phase"] = [phase for phase, _ in values]
    frame = _checked(path, spread | shared, [some for _, some in values])
    unavailable = {
        what: why.why for one in machines.values() for what, why in one.unavailable.items() if what not in plan.optional
    }
    for record in timed:
        unavailable |= {f"{label} at {record.point.name}": why for label, why in record.refused.items()}
    host = log.merged([one.facts for one in machines.values()])
    host |= {"suite": plan.suite, "seed": plan.seed, "command": plan.command, "suite_version": plan.version}
    host |= {
        key: _middle([one.facts[key] for one in timed]) for key in WORKER if all(key in one.facts for one in timed)
    }
    boots = {boot: one.facts for boot, one in machines.items()}
    examples = {_case(record.point, one): one.example for record, one in reversed(runs) if one.example}
    number, answered, counts = planned(plan, machines), log.answered(found), any(one.counters for _, one in runs)
    return Result(name, frame, host, unavailable, number, notes, boots, *answered, examples, counts, fallen)


def _case(point: Point, one: Series) -> tuple[Any, ...]:
    """The CASE of a series."""
    place = (point.workload, point.kind, point.pages, point.dirty_percent, point.setting)
    return (*place, form(one.interface, one.atomic))


def _middle(values: Sequence[str | int | float]) -> float:
    return float(np.median(np.array(values, dtype=np.float64)))


def planned(plan: Plan, machines: dict[int, Machine]) -> int:
    """How many processes were to measure a point, less those for which no interface works there."""
    first = next(iter(machines.values()), None)
    lacking = set(first.unavailable) if first else set()
    left = [point for point in plan.points if point.elsewhere_name not in lacking]
    return len(left) * plan.processes


def _columns(
    plan: Plan, machines: dict[int, Machine], runs: list[tuple[Timed, Series]]
) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """One cell for each process and form, by column; and what all points share, which most of their fields are."""
    points: dict[Point, dict[str, Any]] = {}
    for record, _ in runs:
        if record.point not in points:
            points[record.point] = record.point._asdict() | {"setting": record.point.setting}
    keys = [*Point._fields, "setting"]
    first = next(iter(points.values()))
    shared = {key: first[key] for key in keys if all(one[key] == first[key] for one in points.values())}
    columns: dict[str, list[Any]] = {
        key: [points[record.point][key] for record, _ in runs] for key in keys if key not in shared
    }
    for key in ("interface", "atomic", "intervals", "extra", "missed", "overlapped", "vmas_left", "periods", "late"):
        columns[key] = [getattr(one, key) for _, one in runs]
    if any(one.orders_before for _, one in runs):
        for key in ("orders_before", "orders_after"):
            columns[key] = [" ".join(f"{name}:{pages}" for name, pages in getattr(one, key).items()) for _, one in runs]
        columns["orders_changed"] = [one.orders_changed for _, one in runs]
    columns["wrong_intervals"] = [wrong_intervals(one.wrong, one.extra, one.missed) for _, one in runs]
    if any(one.beside.counts for _, one in runs):
        waits = [(one.beside.waits, SCALE[machines[record.boot].quantity]) for record, one in runs]
        columns |= {key: [some[key] * scale for some, scale in waits] for key in WAITS}
        columns |= {key: [getattr(one.beside, name) for _, one in runs] for key, name in BESIDE.items()}
    columns |= {"boot": [r.boot for r, _ in runs], "process": [r.process for r, _ in runs]}
    columns["exact"] = [any(KERNEL in some for some in one.counters.values()) for _, one in runs]
    of_point: dict[str, str | int] = {"writes": 0, "written_pages": 0, "file_system": ""}
    for key, default in of_point.items():
        columns[key] = [record.facts.get(key, default) for record, _ in runs]
    columns["accessed_pages"] = [
        record.facts.get("accessed_pages", written)
        for (record, _), written in zip(runs, columns["written_pages"], strict=True)
    ]
    columns["quantity"] = [machines[record.boot].quantity for record, _ in runs]
    columns |= {"suite": [plan.suite] * len(runs), "seed": [plan.seed] * len(runs)}
    of_machine = {"where": "unknown", "kernel_release": "unknown", "cpu_model_name": "unknown CPU", "tsc_hz": 0.0}
    of_machine |= {"machine": "", "turn": -1, "page_size": PAGE}
    for key, lacking in of_machine.items():
        columns[key] = [machines[record.boot].facts.get(key, lacking) for record, _ in runs]
    columns["cpu"] = columns.pop("cpu_model_name")
    return columns, shared


def _of_old(folder: Path) -> Result:
    """A result of an earlier version: suite.json, schema 1 to 3."""
    found = old.load(folder)
    frame = _checked(folder, found.columns, found.values)
    return Result(log.name_of(folder), frame, found.host, found.unavailable, found.planned, found.notes)


def _checked(path: Path, columns: dict[str, list[Any]], values: list[list[float]]) -> pd.DataFrame:
    """The frame of a file. Raises BadInput that names it."""
    try:
        return assemble(columns, values)
    except BadInput as error:
        raise BadInput(f"{path}: {error}", error.hint or log.HINT) from None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadInput(f"{path} is damaged ({type(error).__name__}: {error})", log.HINT) from None


def assemble(columns: dict[str, list[Any]], values: list[list[float]]) -> pd.DataFrame:
    """Return the frame of columns with one cell for each phase of each process; values in nanoseconds of the clock.

    Raises BadInput for what can't be.
    """
    lacking = _LACKING | dict.fromkeys(WAITS, np.nan) | NOBODY | {"accessed_pages": columns["written_pages"]}
    table = _typed(pd.DataFrame(lacking | columns))  # older results only write
    lengths = np.fromiter(map(len, values), dtype=np.int64)
    frame = table.loc[np.repeat(table.index, lengths)].reset_index(drop=True)
    frame["round"] = np.arange(len(frame)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    amounts = np.fromiter(chain.from_iterable(values), dtype=np.float64)
    if not (np.isfinite(amounts) & (amounts >= 0)).all():
        raise BadInput("it has values that are negative or no numbers")
    frame["value"] = amounts * frame["quantity"].map(SCALE).to_numpy(dtype=np.float64)
    frame["unit"] = frame["quantity"].map(UNITS).astype("category")
    return frame


def _typed(runs: pd.DataFrame) -> pd.DataFrame:
    """Checked types. Text becomes categories: 10,000 benchmarks repeat a few words."""
    for key in _WHOLE:
        runs[key] = runs[key].astype("int64")
    runs["dirty_percent"] = runs["dirty_percent"].astype("float64")
    for key in ("atomic", "exact"):
        runs[key] = runs[key].astype(bool)
    for key in (*_WORDS, "quantity"):
        words = runs[key].astype("category")
        runs[key] = words.cat.rename_categories([_text(word) for word in words.cat.categories])
    if (runs[["pages", "intervals"]] < 1).any(axis=None) or (runs[["extra", "missed"]] < 0).any(axis=None):
        raise BadInput("it has impossible counts of pages or intervals")
    if not set(runs["phase"].cat.categories) <= {*PHASES, POPULATE}:
        raise BadInput(f"it has phases other than {', '.join((*PHASES, POPULATE))}")
    for key in ("where", "kernel_release", "quantity"):
        if runs[key].nunique() > 1:
            raise BadInput(f"it mixes results of several values of {key}", "keep one result per kernel and machine")
    if runs.duplicated([*POINT, *FORM, "phase", "process"]).any():
        raise BadInput("two runs of one benchmark have the same process number")
    return runs


def _text(word: Any) -> str:
    """Words as text that can be written: JSON may hold halves of characters."""
    return str(word).encode("utf-8", "replace").decode()


def intervals(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per tracked interval of a Result's frame: (point, form, process, round), all in the frame's unit.

    Columns besides the point's: `form` (ordered category), `quantity`, `unit`, each phase (NaN where the form has
    none), `interval` (all phases), `untracked` (median `dirty` of the untracked baseline in the same process, of which
    `untracked_periods` and `untracked_late` are the writers' rhythm), `cost` (interval - untracked: the headline),
    `tracker` (reset + collect, or collect_reset, and act), `tracked` (dirty - untracked), `residue` (after - the same
    without tracking), `life` (all that a life of one interval costs, without untracked writes), and the frame's counts.
    Raises BadInput where a phase or the baseline is missing: a sum without it would look fast.
    """
    keys = [*POINT, *FORM, "process", "round"]
    tracked = frame[frame["interface"] != UNTRACKED]
    if tracked.empty:
        raise BadInput("it holds the untracked baseline only", "measure at least one interface: ./bench.py probe")
    phases = [*PHASES, POPULATE]
    wide = tracked.set_index([*keys, "phase"])["value"].unstack("phase").reindex(columns=phases)
    facts = tracked.drop_duplicates(keys).set_index(keys).drop(columns=["phase", "value"])
    facts = facts.rename(columns=RENAMED)
    rows = pd.concat([wide, facts.reindex(wide.index)], axis=1).reset_index()
    baseline = frame[(frame["interface"] == UNTRACKED) & (frame["phase"] == "dirty")]
    medians = baseline.groupby([*POINT, "process"], observed=True)["value"].median().rename("untracked")
    rhythm = baseline.groupby([*POINT, "process"], observed=True)[["periods", "late"]].first().add_prefix("untracked_")
    rows = rows.merge(rhythm.assign(untracked=medians).reset_index(), how="left", on=[*POINT, "process"])
    for phase in ("reset", "collect"):  # who wipes all asks nothing, and who copies all resets nothing either
        has_none = [row.name for row in INTERFACES.values() if row.instead and not row.has(phase)]
        rows[phase] = rows[phase].mask(rows["interface"].isin(has_none), 0.0)
    idle = rows["writes"] == 0
    for column in ("dirty", "untracked"):
        rows[column] = rows[column].mask(idle, 0.0)
    rows["tracker"] = rows["collect_reset"].where(rows["atomic"], rows["reset"] + rows["collect"])
    rows["tracker"] += rows["act"].fillna(0.0)
    rows["interval"] = rows["tracker"] + rows["dirty"]
    rows["tracked"] = rows["dirty"] - rows["untracked"]
    rows["cost"] = rows["interval"] - rows["untracked"]
    rows = _lives(frame, rows)
    if rows["cost"].isna().any():
        bad = rows[rows["cost"].isna()].iloc[0]
        raise BadInput(
            f"it lacks a phase or the untracked baseline of {bad.interface} in {bad.workload}, {bad.pages} pages",
            "its file is damaged, or the run was cut short: measure again",
        )
    rows["form"] = _ordered_forms(rows)
    return rows


def _lives(frame: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Add `residue` and `life`, NaN where there is none."""
    known = frame[(frame["interface"] == UNTRACKED) & (frame["phase"] == "after")]
    usual = known.groupby([*POINT, "process"], observed=True)["value"].median().rename("untracked_after")
    rows = rows.merge(usual.reset_index(), how="left", on=[*POINT, "process"])
    rows["residue"] = rows["after"] - rows["untracked_after"]
    around = rows[["open", "arm", "disarm", "residue", "close"]].sum(axis=1)  # of which some have not all
    armed = rows["reset"].where(~rows["atomic"], 0.0)  # by the first reset, which is no interval's
    rows["life"] = (around + rows["cost"] - armed).where(rows["open"].notna())
    return rows.drop(columns="untracked_after")


def in_cycles(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Rows of intervals() in cycles of the time stamp counter; None where it is not invariant or time was not measured.

    A quantity like others: whatever takes rows takes these.
    """
    rate = float(rows["tsc_hz"].iloc[0])
    if not rate or rows["quantity"].iloc[0] != TIME:
        return None
    changed: dict[str, Any] = {key: rows[key] * rate for key in (*PHASES, POPULATE, *_MEASURES)}
    constant = {"quantity": CYCLES, "unit": UNITS[CYCLES]}
    changed |= {key: pd.Categorical([word] * len(rows)) for key, word in constant.items()}
    return rows.assign(**changed)


def _ordered_forms(rows: pd.DataFrame) -> "pd.Series[Any]":
    """The form of each row, as a category in the order of tables and plots."""
    names = [*INTERFACES, *(name for name in rows["interface"].cat.categories if name not in INTERFACES)]
    used = rows[FORM].drop_duplicates().itertuples(index=False)
    known = sorted({(names.index(r.interface), bool(r.atomic)) for r in used})
    forms = [form(names[i], atomic) for i, atomic in known]
    text: pd.Series[str] = rows["interface"].astype(str) + np.where(rows["atomic"], form("", True), "")
    return text.astype(pd.CategoricalDtype(forms, ordered=True))


def exactness(rows: pd.DataFrame, by: list[str] | None = None) -> pd.DataFrame:
    """Return the COUNTS of each group of intervals()' rows, CASE by default, as totals."""
    once = rows.drop_duplicates([*CASE, "process"])
    return once.groupby(by or CASE, observed=True)[COUNTS].sum().reset_index()
