# SPDX-License-Identifier: GPL-2.0-only
"""The table of lives: what a tracker costs from opening to closing, and after how many intervals that is paid back."""

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from bench.plan.interfaces import LEGACY
from bench.plan.kinds import USUAL_KIND
from bench.report import numbers, tables
from bench.report.layout import grid, note, paragraph
from bench.report.numbers import Unit
from bench.stats import lives, samples
from bench.store import frames
from bench.store.frames import CASE, POINT

_COLUMNS = ("open", "arm", "disarm", "residue", "close", "life", "cost")
_LETTERS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_HEADS = ("open", "arm", "disarm", "after", "close", "life", "interval")


def text(rows: pd.DataFrame) -> str:
    """The table of the lives that rows of frames.intervals() have; empty without any."""
    rows = rows[rows["open"].notna()]
    if rows.empty:
        return ""
    unit = numbers.unit(rows)
    medians = pd.concat({key: samples.medians(rows, CASE, key)["median"] for key in _COLUMNS}, axis=1)
    wrong = frames.exactness(rows).set_index(CASE)["wrong_intervals"]
    body: list[list[str]] = []
    order = rows.assign(long=rows["setting"].astype(str).str.len(), other=rows["kind"].astype(str) != USUAL_KIND)
    keys = ["other", "kind", "life_ends", "long", "setting", "pages"]
    order = order.sort_values(keys, ascending=[key != "life_ends" for key in keys], kind="stable")
    for point, some in order.groupby(POINT, observed=True, sort=False):
        body.append([tables.describe(some)])
        own = medians[[key[:-1] == point for key in medians.index]].reset_index("form")
        usual = lives.reference(own)
        for _, found in own.iterrows():
            cells = [_three(found[column], unit) for column in _COLUMNS]
            if wrong[(*point, found["form"])]:
                cells[_COLUMNS.index("life")] = f"*{cells[_COLUMNS.index('life')]}"
            body.append([f"  {found['form']}", *cells, _cheaper(lives.cheaper(found, usual))])
    title = f"A tracker's life, {unit.title} (median), lower is better"
    table = grid([["", *_HEADS, "pays"]], body)
    return "\n".join(
        [*map(paragraph, (title, tables.memory(rows), tables.where(rows))), "", table, *map(note, _notes(rows))]
    )


def _notes(rows: pd.DataFrame) -> Iterable[str]:
    yield (
        "open = descriptors, registration, threads; arm = the first reset; disarm = what ends tracking, empty where "
        "nothing does; after = what the program's first writes then cost more than without tracking; life = open, arm, "
        "one interval's writes (untracked ones deducted) and collect, disarm, after, close; interval = the cost of a "
        "later one, its reset included; k, M = a thousand, a million"
    )
    yield (
        f"pays = after how many intervals a life has cost less than with {LEGACY}, or, where that was not measured, "
        "than with what opens, arms and ends for least (-); to N: only up to so many"
    )
    if (busy := rows[(rows["life_ends"] == "busy") & rows["disarm"].notna()]).size:
        met = busy.drop_duplicates([*CASE, "process"])["overlapped"].sum()
        yield (
            f"life=busy: writers were half through when disarm began; in {met:.0f} of {len(busy)} lives they still "
            "wrote when it had ended"
        )
    if rows["after"].isna().any():
        yield (
            "after is measured where the tracking thread itself writes, when tracking has ended; else it is no part of "
            "life"
        )
    if frames.exactness(rows)["wrong_intervals"].any():
        yield "* = not every interval was exact"


def _three(value: float, of: Unit) -> str:
    """An amount with three digits, as short as can be, since eight stand side by side: 0.02, 3.14, 26.7k, 2.76M.

    Empty where there is none.
    """
    if np.isnan(value):
        return ""
    shown = float(f"{value * of.factor:.3g}")
    size, letter = next(((n, x) for n, x in _LETTERS if abs(shown) >= n), (1.0, ""))
    return f"{round(shown / size, 2):.3g}{letter}"


def _cheaper(found: lives.Cheaper) -> str:
    """1, 12, never, to 35; - for what others are compared with."""
    if found.same:
        return "-"
    if found.first == math.inf:
        return "never"
    return f"{found.first:.0f}" if found.last == math.inf else f"to {found.last:.0f}"
