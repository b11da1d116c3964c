# SPDX-License-Identifier: GPL-2.0-only
"""What tracking does to who has nothing to do with it, as a table: beside each form how long operations took."""

import math
from typing import Any

import numpy as np
import pandas as pd

from bench.plan.bystanders import BYSTANDERS
from bench.plan.interfaces import UNTRACKED, form
from bench.plan.records import WAITS
from bench.report import numbers, tables
from bench.report.layout import grid, note, paragraph
from bench.report.numbers import Unit, amount
from bench.stats import samples
from bench.store.frames import CASE, POINT

_UNTRACKED = "not tracked"
_SHOWN = ("bystanders_reset", "bystanders_collect", "bystanders_median", "bystanders_p99", "bystanders_max")
_HEADS = (("median", "reset"), ("median", "collect"), ("median", "any"), ("", "p99"), ("", "max"), ("max", "in"))
_PHASES = {"collect_reset": "collect"}


def rows(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each form and process that had a bystander, of a Result's frame; the untracked baseline too."""
    some = frame[(frame["bystanders"] != "") & frame["bystanders_max"].notna()]
    some = some.drop_duplicates([*POINT, "interface", "atomic", "boot", "process"])
    names = [form(name, atomic) for name, atomic in zip(some["interface"], some["atomic"], strict=True)]
    return some.assign(form=names)


def table(frame: pd.DataFrame) -> str:
    """Table of a Result's frame: a block for each point, in it without tracking, then each form; empty without any."""
    found = rows(frame)
    if found.empty:
        return ""
    unit, paced = numbers.unit(found), bool(found["bystanders_pause_us"].max())
    estimates = {key: samples.medians(found, CASE, key)["median"] for key in WAITS}
    medians: dict[Any, Any] = pd.concat(estimates, axis=1).to_dict("index")
    body: list[list[str]] = []
    for point, some in found.sort_values(["bystanders", "pages"]).groupby(POINT, observed=True, sort=False):
        body += [[tables.describe(some)]]
        labels: list[Any] = sorted(some["form"].unique(), key=lambda one: one != UNTRACKED)
        for label in labels:
            body.append(_row(medians[(*point, label)], some[some["form"] == label], label, unit, paced=paced))
    heads = [["", *(pair[i] for pair in _HEADS), *([] if paced else [("op./", "ms")[i]])] for i in range(2)]
    title = f"How long bystanders wait: an operation of theirs, {unit.title}, lower is better"
    lines = [title, tables.memory(found), tables.where(found)]
    return "\n".join([*map(paragraph, lines), "", grid(heads, body, bar="  "), *map(note, _notes(found, unit))])


def _row(medians: Any, some: pd.DataFrame, label: str, unit: Unit, *, paced: bool) -> list[str]:
    """A form at a point."""
    cells = ["" if math.isnan(medians[key]) else amount(medians[key], unit) for key in _SHOWN]
    tracked = label != UNTRACKED
    phase = str(some.sort_values("bystanders_max")["bystanders_phase"].iloc[-1]) if tracked else ""
    each = medians["bystanders_each"]
    rate = [] if paced else ["" if np.isnan(each) else numbers.three(1e-3 / each)]
    return [f"  {label if tracked else _UNTRACKED}", *cells, _PHASES.get(phase, phase), *rate]


def _notes(found: pd.DataFrame, unit: Unit) -> list[str]:
    """What the numbers mean, by how the bystander shared the machine with the tracker."""
    pause = int(found["bystanders_pause_us"].max())
    shown = [
        "; ".join(f"{word}: {BYSTANDERS[word].who}" for word in sorted(found["bystanders"].unique())),
        "median: of the operations that overlapped this phase (reset and collect of an atomic form are one call), or "
        "any phase, the writes too, as p99 and max; max: of the median process; in: what the slowest of all overlapped",
    ]
    if pause:
        often = f"{pause} thousand instructions" if unit.counted else f"{pause} us"
        urgent = ", and goes before the tracker then" if found["bystanders_urgent"].min() else ""
        shown.append(
            f"one CPU: the bystander is to do one about every {often}{urgent}; it takes all that the machine does from "
            "when it was to begin to its end: where it waits for a lock, what the holder does until then"
        )
    else:
        shown.append(
            "the bystander has a CPU that the tracker does not use, and does one operation after the other: one that "
            "waits long is one of many, so read max and the phases; op./ms: operations that end in a millisecond of an "
            "interval, higher is better"
        )
    if str(found["where"].iloc[0]) == "tcg":
        shown.append("emulated CPUs take turns of up to 100 ms, which is the largest part of any maximum here")
    return shown
