# SPDX-License-Identifier: GPL-2.0-only
"""Whole lives of trackers: what they cost once and what each interval does, and where two of them cost the same."""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.plan.interfaces import LEGACY, form


class Cheaper(NamedTuple):
    """For how many intervals a life costs less than another: from `first` on, up to `last`; inf, inf: never.

    `same`: it is the other.
    """

    first: float
    last: float
    same: bool = False


def once(found: "pd.Series[Any]") -> float:
    """What a life costs besides its intervals, less the reset that arming saves the first one.

    found: medians with `life` (of one interval) and `cost` (of a later one), in whatever unit.
    """
    return float(found["life"] - found["cost"])


def total(found: "pd.Series[Any]", intervals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what lives of so many intervals cost: float64, as many as intervals."""
    return once(found) + intervals * float(found["cost"])


def reference(medians: pd.DataFrame) -> "pd.Series[Any]":
    """Return the life that others of a point are compared with: the legacy interface's, or what costs least once.

    medians: of one point, a row for each form, which `form` names.
    """
    names = list(medians["form"])
    if form(LEGACY, False) in names:
        return medians.iloc[names.index(form(LEGACY, False))]
    return medians.iloc[int(np.argmin([once(row) for _, row in medians.iterrows()]))]


def cheaper(found: "pd.Series[Any]", usual: "pd.Series[Any]") -> Cheaper:
    """Return for how many intervals, of one and more, a life costs less than the usual one."""
    if found["form"] == usual["form"]:
        return Cheaper(math.inf, math.inf, same=True)
    more, saved = once(found) - once(usual), float(usual["cost"] - found["cost"])
    if saved > 0:
        return Cheaper(float(max(1, math.floor(more / saved) + 1)), math.inf)
    if more + float(found["cost"] - usual["cost"]) < 0:
        last = math.inf if saved == 0 else float(math.ceil(more / saved) - 1)
        return Cheaper(1.0, last)
    return Cheaper(math.inf, math.inf)
