# SPDX-License-Identifier: GPL-2.0-only
"""Differences of counted instructions: how often equal kernels seem to differ, and what of a real change is found.

The boots are real: boots.csv. Each way to deal those of one kernel to two results of five boots is a comparison of
equal kernels.
"""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.plan.records import INSTRUCTIONS
from bench.stats import diagnostics, samples

BOOTS = pd.read_csv(Path(__file__).with_name("boots.csv"), comment="#")
CASE = ["workload", "pages", "dirty_percent", "form"]
CASES = 88
SIDE = 5  # boots of a result


def boots(*results):
    """float64[88, boots] of some results of one kernel."""
    some = [BOOTS[BOOTS["result"] == name].sort_values(CASE).filter(like="boot") for name in results]
    return np.concatenate([one.to_numpy(dtype=np.float64) for one in some], axis=1)


def rows(values):
    """float64[cases, boots] as rows, with one process a boot."""
    cases, count = values.shape
    boot = np.tile(np.arange(count), cases)
    columns = {"case": np.repeat(np.arange(cases), count), "boot": boot, "process": boot, "round": 0}
    return pd.DataFrame(columns | {"cost": values.ravel(), "quantity": INSTRUCTIONS})


def claims(base, new):
    """bool[cases]: which differences are claimed."""
    return samples.differences(rows(base), rows(new), ["case"], "cost")["apart"].to_numpy()


def dealt(values, every=1):
    """Yield two results of five boots each for every way to deal ten boots, or some of the ways."""
    ways = [first for first in combinations(range(values.shape[1]), SIDE) if 0 in first]
    for first in ways[::every]:
        yield values[:, first], values[:, [i for i in range(values.shape[1]) if i not in first]]


def test_equal_kernels_are_rarely_called_different():
    """Measured: of all 378 ways to deal, none claims any difference in 88 cases.

    Nor did any of 2,000 random deals of five and five from the 20 boots of 6.12.
    """
    wrong = [claims(*sides).any() for name in ("6.12", "6.12 again", "7.3") for sides in dealt(boots(name), every=3)]
    assert len(wrong) == 3 * 42
    assert sum(wrong) <= 1


def test_no_overlap_alone_would_call_many_of_them_different():
    """Why distance counts too: five boots and five do not overlap by chance in 2 of 252 cases, and there are 88."""
    apart = [
        ((x.min(axis=1) > y.max(axis=1)) | (x.max(axis=1) < y.min(axis=1))).any()
        for name in ("6.12", "6.12 again", "7.3")
        for x, y in dealt(boots(name))
    ]
    assert np.mean(apart) > 0.2, "measured: 26 %"


def test_a_real_change_is_found():
    """6.12 against 7.3: a rank test of ten boots claims 86 of 88 cases; five boots find 78 of them, on average."""
    rng, base, new = np.random.default_rng(1), boots("6.12"), boots("7.3")
    found = [claims(*(side[:, rng.permutation(10)[:SIDE]] for side in (base, new))).sum() for _ in range(40)]
    assert np.mean(found) >= 76
    assert claims(base, new).sum() >= np.floor(np.mean(found)), "more boots find no less"


@pytest.mark.parametrize(("change", "least"), [(1.005, 78), (1.01, 78), (1.02, 78)])
def test_a_small_change_is_found_where_boots_repeat(change, least):
    """80 of 88 cases on average: what is left are patterns that differ from seed to seed."""
    values = boots("6.12")
    found = [claims(base, new * change).sum() for base, new in dealt(values, every=21)]
    assert np.mean(found) >= least


def test_what_repeats_exactly_differs_only_by_more_than_the_floor():
    same = np.full((CASES, SIDE), 1000.0)
    assert not claims(same, same).any()
    assert not claims(same, same * (1 + samples.LEAST_CHANGE)).any()
    assert claims(same, same * 1.003).all()
    assert claims(same, same * 0.997).all()


def test_two_steps_dealt_by_chance_are_no_change_where_other_cases_spread():
    """One case comes in two steps, 1 % apart; a deal in which each side got one of them must not be believed."""
    values = boots("6.12")[:, :5]
    spread = np.concatenate([[[1000.0] * 5], values * np.linspace(0.99, 1.01, 5)])
    other = np.concatenate([[[1010.0] * 5], values * np.linspace(0.99, 1.01, 5)])
    assert not claims(spread, other)[0]


def test_fewer_boots_than_it_takes_claim_nothing():
    values = boots("6.12")
    assert not claims(values[:, :4], 2 * values[:, 4:8]).any()
    assert not claims(values[:, :5], 2 * values[:, 5:9]).any()
    assert claims(values[:, :5], 2 * values[:, 5:]).all()


def test_one_disturbed_boot_of_ten_does_not_hide_a_change():
    values = boots("6.12")
    disturbed = 1.05 * values
    disturbed[:, 3] *= 1.2
    assert claims(values, disturbed).sum() >= 80


def test_low_and_high_are_the_range_of_the_boots_and_there_is_no_p():
    values = boots("6.12")
    found = samples.medians(rows(values), ["case"], "cost")
    assert found["counted"].all()
    assert (found["low"].to_numpy() == values.min(axis=1)).all()
    assert (found["high"].to_numpy() == values.max(axis=1)).all()
    both = samples.differences(rows(values), rows(1.1 * values), ["case"], "cost")
    assert both[["p", "least_p"]].isna().all(axis=None)
    np.testing.assert_allclose(both["low"], 1.1 * values.min(axis=1) / values.max(axis=1))
    means = samples.geomeans(rows(values).assign(form="a"), rows(1.1 * values).assign(form="a"), ["case", "form"],
                             "cost", "form")  # fmt: skip
    assert means[""][0] == pytest.approx(1.1)
    assert np.isnan(means[""][1:]).all()


def test_boots_that_differ_are_doubted():
    values = np.full((2, SIDE), 1000.0)
    values[1, 2] = 1015
    found = diagnostics.doubts(rows(values), ["case"], "cost")
    assert np.isnan(found["wide"][0])
    assert found["wide"][1] == pytest.approx(0.015)
