# SPDX-License-Identifier: GPL-2.0-only
"""Medians, ratios and their intervals against known answers and simulated data."""

import numpy as np
import pandas as pd
import pytest

from bench import stats


def rows(values, form="a"):
    """values: [n_processes][n_values] of one group."""
    return pd.DataFrame(
        [
            {"form": form, "process": p, "value": i, "cost": cost}
            for p, run in enumerate(values)
            for i, cost in enumerate(run)
        ]
    )


def one(values):
    return stats.medians(rows(values), ["form"], "cost").iloc[0]


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
    assert found["processes"] == processes
    if not enough:
        assert (found["low"], found["high"]) == (0, processes - 1)


def test_one_process_knows_no_spread():
    found = one([[1.0, 2.0, 3.0]])
    assert np.isnan(found["low"])
    assert np.isnan(stats.half_width(found))


def test_groups_with_different_numbers_of_processes():
    both = pd.concat([rows([[1.0], [2.0], [6.0]], "a"), rows([[float(p)] for p in range(7)], "b")])
    found = stats.medians(both, ["form"], "cost")
    assert found["processes"].tolist() == [3, 7]
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
            {"form": g, "process": p, "cost": level[g, p] + noise}
            for g in range(groups)
            for p in range(processes)
            for noise in (-0.01, 0.0, 0.01)
        ]
    )
    found = stats.medians(frame, ["form"], "cost")
    held = ((found["low"] <= 10) & (found["high"] >= 10)).mean()
    assert 0.92 <= held <= 0.985


def ratio(base, new):
    both = pd.concat([rows(base, "base"), rows(new, "new")]).assign(point=1)
    return stats.ratios(both, ["point"], "cost", "base", "new")


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
