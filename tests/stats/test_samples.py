# SPDX-License-Identifier: GPL-2.0-only
"""Medians, ratios, tests and doubts against known answers, scipy's own, and simulated data."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.plan.records import TIME
from bench.plan.suites import SUITES
from bench.run.request import BOOTS
from bench.stats import samples


def rows(values, form="a"):
    """values: [n_processes][n_values] of one group."""
    return pd.DataFrame(
        [
            {"form": form, "boot": 0, "process": p, "round": i, "cost": cost, "quantity": TIME}
            for p, run in enumerate(values)
            for i, cost in enumerate(run)
        ]
    )


def one(values):
    return samples.medians(rows(values), ["form"], "cost").iloc[0]


def test_processes_count_not_values():
    assert one([[1.0] * 100, [2.0], [3.0]])["median"] == 2


def test_more_values_of_the_same_process_promise_no_more():
    middles = np.random.default_rng(1).normal(10, 1, 12)
    few, many = one([[m] for m in middles]), one([[m] * 50 for m in middles])
    assert few["low"] < few["median"] < few["high"]
    assert (few["low"], few["high"]) == (many["low"], many["high"])


@pytest.mark.parametrize(("processes", "enough"), [(2, False), (5, False), (6, True)])
def test_too_few_processes_give_their_range(processes, enough):
    found = one([[float(p)] for p in range(processes)])
    assert found["enough"] == enough
    assert found["units"] == processes
    if not enough:
        assert (found["low"], found["high"]) == (0, processes - 1)


def test_one_process_knows_no_spread():
    found = one([[1.0, 2.0, 3.0]])
    assert np.isnan(found["low"])
    assert np.isnan(samples.half_width(found))


def test_groups_with_different_numbers_of_processes():
    both = pd.concat([rows([[1.0], [2.0], [6.0]], "a"), rows([[float(p)] for p in range(7)], "b")])
    found = samples.medians(both, ["form"], "cost")
    assert found["units"].tolist() == [3, 7]
    assert found["median"].tolist() == [2, 3]
    assert (found.loc["a", "low"], found.loc["a", "high"]) == (1, 6)


def test_same_data_same_interval():
    values = np.random.default_rng(2).normal(10, 1, (8, 3)).tolist()
    assert one(values).equals(one(values))


@pytest.mark.parametrize("processes", [6, 10, 20])
def test_interval_holds_the_truth_about_as_often_as_it_says(processes):
    groups = 600
    rng = np.random.default_rng(3)
    level = 10 + rng.normal(0, 1, (groups, processes))  # processes differ; values within one barely do
    frame = pd.DataFrame(
        [
            {"form": g, "boot": 0, "process": p, "cost": level[g, p] + noise, "quantity": TIME}
            for g in range(groups)
            for p in range(processes)
            for noise in (-0.01, 0.0, 0.01)
        ]
    )
    found = samples.medians(frame, ["form"], "cost")
    held = ((found["low"] <= 10) & (found["high"] >= 10)).mean()
    assert 0.92 <= held <= 0.985


def ratio(base, new):
    both = pd.concat([rows(base, "base"), rows(new, "new")]).assign(point=1)
    return samples.ratios(both, ["point"], "cost", "base", "new")


def test_pairing_cancels_what_disturbs_both():
    new = np.random.default_rng(4).lognormal(0, 1, (8, 5))
    found = ratio(2 * new, new).iloc[0]
    assert found[["median", "low", "high"]].tolist() == pytest.approx([2, 2, 2])


def test_costs_below_zero_never_turn_a_ratio_around():
    found = ratio([[1.0, 1.0, 1.0]] * 6, [[-0.1, -0.1, 0.1]] * 6).iloc[0]
    assert found["median"] == np.inf
    assert ratio([[-1.0]] * 6, [[-1.0]] * 6).empty
    assert ratio([[-1.0]] * 6, [[1.0]] * 6).iloc[0]["median"] == -1


def test_infinite_ratios_leave_no_nan():
    found = ratio([[1.0]] * 6, [[-0.1]] * 2 + [[0.5]] * 4).iloc[0]
    assert found["median"] == 2
    assert found["low"] == 2
    assert found["high"] == np.inf


def test_half_measured_groups_are_left_out():
    assert ratio([[1.0]], []).empty


def simulated(rng, groups, processes=20, boots=1, *, noise=0.01, boot_noise=0.0, values=1, factor=1.0):
    """A result of log-normal times around 1: float noise per process and per boot, as stats takes it."""
    boot = np.arange(processes) * boots // processes
    level = rng.normal(0, noise, (groups, processes)) + rng.normal(0, boot_noise, (groups, boots))[:, boot]
    times = factor * np.exp(level)[:, :, None] * np.exp(rng.normal(0, noise / 10, (groups, processes, values)))
    index = pd.MultiIndex.from_product(
        [range(groups), range(processes), range(values)], names=["case", "process", "round"]
    )
    frame = pd.DataFrame({"cost": times.ravel()}, index=index).reset_index()
    return frame.assign(boot=boot[frame["process"]], quantity=TIME)


def corrected(base, new):
    """p of each case, corrected by Holm, as compare does it."""
    return samples.holm(samples.differences(base, new, ["case"], "cost")["p"].to_numpy())


CASES = 88  # of the quick suite: 22 points, four forms


@pytest.mark.parametrize(("boots", "boot_noise"), [(1, 0.0), (10, 0.0), (10, 0.02)])
def test_kernels_that_do_not_differ_are_rarely_called_different(boots, boot_noise):
    rng = np.random.default_rng(11)
    tries = 100
    wrong = sum(
        (corrected(*(simulated(rng, CASES, boots=boots, boot_noise=boot_noise) for _ in "ab")) < samples.ALPHA).any()
        for _ in range(tries)
    )
    # 5 % of 100 are 5; more than 11 has a chance of 1 % if the rate is 5 %
    assert wrong <= scipy_stats.binom.ppf(0.99, tries, samples.ALPHA)


def test_boots_taken_for_processes_would_be_called_different():
    """Why boots are the sample: with processes in their place a boot's own noise becomes a difference."""
    rng = np.random.default_rng(12)
    pairs = [[simulated(rng, 20, boots=2, boot_noise=0.02, noise=0.001) for _ in "ab"] for _ in range(20)]
    naive = [corrected(*(one.assign(boot=0) for one in pair)) < samples.ALPHA for pair in pairs]
    assert np.mean([one.any() for one in naive]) > 0.5
    assert not any((corrected(*pair) < samples.ALPHA).any() for pair in pairs)


@pytest.mark.parametrize("boots", [1, BOOTS])
def test_a_difference_of_two_percent_is_found_with_the_default_number_of_runs(boots):
    rng = np.random.default_rng(13)
    runs = SUITES["quick"].processes
    changed = np.arange(CASES) < 4  # most cases are as they were: the harder for Holm
    found = []
    for _ in range(60):
        base, new = (simulated(rng, CASES, processes=runs, boots=boots) for _ in "ab")
        new["cost"] *= np.where(changed[new["case"]], 1.02, 1)
        found.append((corrected(base, new) < samples.ALPHA)[changed])
    assert np.mean(found) >= 0.95


def test_the_number_of_runs_that_is_needed_is_enough_and_one_less_is_not():
    for tests in (1, 10, 88, 5000):
        n = samples.needed(tests, 0.05)
        assert samples.least_p(n, n) * tests < 0.05 <= samples.least_p(n - 1, n - 1) * tests
    assert samples.needed(1, 0.05) == 4


@pytest.mark.parametrize(("n", "m"), [(6, 6), (10, 7), (20, 20), (60, 60)])
def test_mann_whitney_is_scipys(n, m):
    rng = np.random.default_rng(14)
    base, new = rng.normal(size=(50, n)), rng.normal(0.5, 1, size=(50, m))
    method = "exact" if max(n, m) <= 50 else "asymptotic"
    expected = [scipy_stats.mannwhitneyu(x, y, method=method).pvalue for x, y in zip(base, new, strict=True)]
    np.testing.assert_allclose(samples.mann_whitney(base, new), expected)


def test_mann_whitney_with_ties_promises_no_more_than_a_permutation_test():
    x, y = np.array([[1.0] * 6]), np.array([[2.0] * 6])
    exact = scipy_stats.permutation_test(
        (x[0], y[0]), lambda a, b: scipy_stats.mannwhitneyu(a, b).statistic, permutation_type="independent"
    )
    assert samples.mann_whitney(x, y)[0] == pytest.approx(exact.pvalue)
    assert samples.mann_whitney(x, x)[0] == 1
    missing = np.array([[1.0, 1.0, np.nan, 1.0, 1.0, 1.0, 1.0]])
    assert samples.mann_whitney(missing, y)[0] == samples.mann_whitney(x, y)[0]


def test_holm_is_holms():
    # the example of Holm's paper has none; this one is worked by hand: 0.01*4, 0.02*3, then not below its predecessor
    assert samples.holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert samples.holm(np.array([0.6, 0.7])) == pytest.approx([1, 1])
    assert samples.holm(np.array([])).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.floats(0.001, 0.5))
def test_holm_rejects_what_the_step_down_procedure_rejects(p, alpha):
    p = np.array(p)
    rejected = np.zeros(len(p), bool)
    for rank, i in enumerate(np.argsort(p, kind="stable")):
        if p[i] * (len(p) - rank) >= alpha:
            break
        rejected[i] = True
    assert ((samples.holm(p) < alpha) == rejected).all()


def test_intervals_are_those_of_scipys_bootstrap():
    base, new = (np.random.default_rng(seed).lognormal(0, 0.1, 20) for seed in (15, 16))
    frames = [
        pd.DataFrame({"case": 0, "boot": 0, "process": range(20), "round": 0, "cost": v, "quantity": TIME})
        for v in (base, new)
    ]
    found = samples.differences(*frames, ["case"], "cost").iloc[0]
    options = {"method": "percentile", "n_resamples": 9999, "vectorized": True, "rng": np.random.default_rng(1)}

    def ratio(x, y, axis=-1):
        return np.median(y, axis=axis) / np.median(x, axis=axis)

    expected = scipy_stats.bootstrap((base, new), ratio, **options).confidence_interval
    assert found["ratio"] == pytest.approx(np.median(new) / np.median(base))
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high), rel=0.02)
    of_base = scipy_stats.bootstrap((base,), np.median, **options).confidence_interval
    assert (found["base_low"], found["base_high"]) == pytest.approx((of_base.low, of_base.high), rel=0.02)


@pytest.mark.parametrize(("boots", "boot_noise"), [(1, 0.0), (10, 0.01)])
def test_the_interval_of_a_ratio_holds_the_truth(boots, boot_noise):
    rng = np.random.default_rng(17)
    base = simulated(rng, 500, boots=boots, boot_noise=boot_noise)
    new = simulated(rng, 500, boots=boots, boot_noise=boot_noise, factor=1.1)
    found = samples.differences(base, new, ["case"], "cost")
    assert 0.92 <= ((found["low"] <= 1.1) & (found["high"] >= 1.1)).mean() <= 0.99


def test_values_and_processes_of_a_boot_promise_no_more():
    rng = np.random.default_rng(18)
    one = simulated(rng, 1, processes=8, boots=8, boot_noise=0.05)
    more = pd.concat([one.assign(process=one["process"] + 100 * i, round=v) for i in range(3) for v in range(4)])
    few, many = (samples.medians(rows, ["case"], "cost").iloc[0] for rows in (one, more))
    assert few.equals(many)
    assert few["unit"] == "boot"


def test_geometric_mean_and_its_interval():
    rng = np.random.default_rng(19)
    held = 0
    for _ in range(100):
        base, new = simulated(rng, 12, boots=10, boot_noise=0.01), simulated(rng, 12, boots=10, boot_noise=0.01)
        new["cost"] *= np.where(new["case"] < 6, 0.9, 1.0)
        for rows in (base, new):
            rows["half"] = np.where(rows["case"] < 6, "changed", "same")
        found = samples.geomeans(base, new, ["half", "case"], "cost", "half")
        for name, truth in (("changed", 0.9), ("same", 1.0), ("", math.sqrt(0.9))):
            ratio, low, high = found[name]
            assert low <= ratio <= high
            assert ratio == pytest.approx(truth, abs=0.02)
            held += low <= truth <= high
    assert 0.90 <= held / 300 <= 0.99
    middles = [rows.groupby(["case", "boot"])["cost"].median().groupby("case").median() for rows in (base, new)]
    assert found[""][0] == pytest.approx(scipy_stats.gmean(middles[1] / middles[0]))


def test_geometric_mean_leaves_out_what_has_no_logarithm():
    rng = np.random.default_rng(20)
    base, new = (simulated(rng, 3).assign(form="a") for _ in "ab")
    new.loc[new["case"] == 1, "cost"] = -1.0
    ratio, low, high = samples.geomeans(base, new, ["case", "form"], "cost", "form")[""]
    assert low <= ratio <= high
    assert ratio == pytest.approx(1, abs=0.02)
    assert samples.geomeans(base, new[new["case"] == 1], ["case", "form"], "cost", "form") == {}
    assert math.isnan(samples.differences(base, new, ["case"], "cost").loc[1, "ratio"])


def test_few_runs_have_a_range_and_no_interval_of_the_mean():
    rng = np.random.default_rng(21)
    base, new = (simulated(rng, 2, processes=3).assign(form="a") for _ in "ab")
    found = samples.differences(base, new, ["case"], "cost").iloc[0]
    ranges = [rows[rows["case"] == 0]["cost"] for rows in (base, new)]
    assert found["low"] == pytest.approx(ranges[1].min() / ranges[0].max())
    assert found["high"] == pytest.approx(ranges[1].max() / ranges[0].min())
    assert math.isnan(samples.geomeans(base, new, ["case", "form"], "cost", "form")[""][1])
