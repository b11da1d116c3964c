# SPDX-License-Identifier: GPL-2.0-only
"""Events and samples of results that were taken by the clock, as tidy frames: of real machines, and guests that run."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from bench.plan.interfaces import form
from bench.plan.records import PHASES, Timed
from bench.store import log
from bench.store.frames import CASE, KERNEL, POINT

_KEY = [*CASE, "phase"]


class Events(NamedTuple):
    """Frames with the columns of CASE and `phase`.

    counters: `counter`, as records.Series names it, and `value`, the mean over processes; samples: `function` and
    `samples`, the sum over them.
    """

    counters: pd.DataFrame
    samples: pd.DataFrame


def load(folder: Path) -> Events | None:
    """Read what the result in a folder has; None where it has nothing, or exact counts, which are for ledger.py."""
    path = log.find(folder)
    runs = [(one, series) for one in (log.read(path)[0] if path else []) if isinstance(one, Timed)
            for series in one.series]  # fmt: skip
    counted, sampled = [], []
    for record, series in runs:
        case = [*(getattr(record.point, key) for key in POINT), form(series.interface, series.atomic)]
        for phase, some in series.counters.items():
            counted += [[*case, phase, name, value] for name, values in some.items() for value in values]
        for phase, functions in series.samples.items():
            sampled += [[*case, phase, function, count] for function, count in functions.items()]
    counters = _frame(counted, "counter", "value")
    if counters.empty or (counters["counter"] == KERNEL).any():
        return None
    samples = _frame(sampled, "function", "samples")
    return Events(
        counters.groupby([*_KEY, "counter"], observed=True, sort=False)["value"].mean().reset_index(),
        samples.groupby([*_KEY, "function"], observed=True, sort=False)["samples"].sum().reset_index(),
    )


def _frame(rows: list[list[object]], name: str, number: str) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[*_KEY, name, number])
    return frame.assign(phase=frame["phase"].astype(pd.CategoricalDtype(list(PHASES), ordered=True)))
