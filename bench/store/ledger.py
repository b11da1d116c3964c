# SPDX-License-Identifier: GPL-2.0-only
"""What a result counted beside its values, as tidy frames: events of each phase, instructions by kernel function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.errors import BadInput
from bench.plan.interfaces import form
from bench.plan.records import PHASES, POPULATE, Series, Timed
from bench.store import log
from bench.store.frames import CASE, KERNEL, POINT

USER, FOREIGN = "user", "foreign"  # the other counters of instructions that exact results have
# what tells one value of one phase: of which boot, process and round of a case
VALUE = [*CASE, "phase", "boot", "process", "round"]
_HINT = "measure in a guest that counts: ./bench.py run --where vm; or on a machine where perf_event_open() works"


class Ledger(NamedTuple):
    """Tidy frames, with the columns VALUE, `interface` and `atomic`.

    Beside these, counters: `counter`, `value`, as records.Series names them; functions: `function`, `instructions`,
    which add up to the counter `kernel` of that value; foreign: the same of interrupts and other tasks, which are in
    no value.
    """

    name: str
    counters: pd.DataFrame
    functions: pd.DataFrame
    foreign: pd.DataFrame

    @property
    def exact(self) -> bool:
        """Whether user and kernel were counted apart, without foreign work."""
        return bool((self.counters["counter"] == KERNEL).any())


def load(folder: Path) -> Ledger:
    """Read what the result in a folder counted. Raises BadInput for one that counted nothing beside its values."""
    path = log.find(folder)
    timed = [one for one in log.read(path)[0] if isinstance(one, Timed)] if path else []
    runs = [(record, series) for record in timed for series in record.series]
    name = log.name_of(folder)
    if not any(series.counters for _, series in runs):
        raise BadInput(f"{name} has no counts of events and functions: its values were taken by the clock", _HINT)
    found: dict[str, list[tuple[list[Any], Mapping[str, float]]]] = {"counters": [], "functions": [], "foreign": []}
    for record, series in runs:
        found["counters"] += _cells(record, series, _by_value(series.counters))
        found["functions"] += _cells(record, series, series.functions)
        found["foreign"] += _cells(record, series, series.foreign)
    return Ledger(
        name,
        _frame(found["counters"], "counter", "value"),
        _frame(found["functions"], "function", "instructions"),
        _frame(found["foreign"], "function", "instructions"),
    )


def _by_value(counters: dict[str, dict[str, list[float]]]) -> dict[str, list[dict[str, float]]]:
    """Counters of each phase, a dictionary for each value."""
    return {
        phase: [dict(zip(some, one, strict=True)) for one in zip(*some.values(), strict=True)]
        for phase, some in counters.items()
    }


def _cells(
    record: Timed, series: Series, found: Mapping[str, Iterable[Mapping[str, float]]]
) -> list[tuple[list[Any], Mapping[str, float]]]:
    """What one series has of a kind: the columns of each value, and the numbers."""
    whose = [*(getattr(record.point, key) for key in POINT), form(series.interface, series.atomic)]
    made = [series.interface, series.atomic]
    return [
        ([*whose, phase, record.boot, record.process, number, *made], one)
        for phase, values in found.items()
        for number, one in enumerate(values)
    ]


def _frame(found: list[tuple[list[Any], Mapping[str, float]]], key: str, number: str) -> pd.DataFrame:
    """A row for each number."""
    heads = pd.DataFrame([head for head, _ in found], columns=[*VALUE, "interface", "atomic"])
    for word in ("workload", "kind", "setting", "form", "interface"):
        heads[word] = heads[word].astype("category")
    heads["phase"] = heads["phase"].astype(pd.CategoricalDtype([*PHASES, POPULATE], ordered=True))
    frame = heads.loc[np.repeat(heads.index, [len(one) for _, one in found])].reset_index(drop=True)
    words = list(chain.from_iterable(one for _, one in found))
    frame[key] = pd.Categorical(words, categories=list(dict.fromkeys(words)))
    frame[number] = np.fromiter(chain.from_iterable(one.values() for _, one in found), dtype=np.float64)
    return frame
