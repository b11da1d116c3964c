# SPDX-License-Identifier: GPL-2.0-only
"""Where what a life costs once is paid back, to the interval."""

import math

import numpy as np
import pandas as pd
import pytest

from bench.plan.interfaces import LEGACY
from bench.stats import lives


def one(name, once, each):
    return pd.Series({"form": name, "life": float(once + each), "cost": float(each)})


@pytest.mark.parametrize(
    ("once", "each", "first", "last"),
    [
        (300, 10, 11, math.inf),  # 200 more, 20 less each: even at 10
        (310, 10, 11, math.inf),
        (100, 29, 1, math.inf),
        (50, 10, 1, math.inf),
        (100, 30, math.inf, math.inf),
        (300, 30, math.inf, math.inf),
        (300, 50, math.inf, math.inf),
        (50, 40, 1, 4),  # 50 less, 10 more each: even at 5
        (45, 40, 1, 5),
        (50, 30, 1, math.inf),
        (99, 40, math.inf, math.inf),  # cheaper once, and never with an interval
    ],
)
def test_for_how_many_intervals_a_life_costs_less(once, each, first, last):
    usual, other = one(LEGACY, 100, 30), one("scan-wp", once, each)
    found = lives.cheaper(other, usual)
    assert (found.first, found.last) == (first, last)
    count = np.arange(1.0, 2000.0)
    less = lives.total(other, count) < lives.total(usual, count)
    assert list(less) == [first <= n <= last for n in count]


def test_lives_are_compared_with_the_legacy_interface_or_what_costs_least_once():
    table = pd.DataFrame([one("uffd-sync", 200, 1), one("mprotect", 50, 90), one(LEGACY, 100, 30)])
    assert lives.reference(table)["form"] == LEGACY
    assert lives.reference(table[:2])["form"] == "mprotect"
    assert lives.cheaper(table.iloc[0], table.iloc[0]).same
