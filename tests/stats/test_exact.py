# SPDX-License-Identifier: GPL-2.0-only
"""Differences of exact counts: how often equal kernels seem to differ, and that one instruction a page is found.

The boots are real: exact.csv. Dealing those of one kernel to two results is a comparison of equal kernels.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.plan.records import INSTRUCTIONS
from bench.stats import comparison, samples

BOOTS = pd.read_csv(Path(__file__).with_name("exact.csv"), comment="#")
CASE = ["workload", "pages", "dirty_percent", "form"]
METRICS = ("cost", "reset", "dirty", "collect")
COUNT = int(BOOTS.filter(like="boot").shape[1])
SIDE = min(5, COUNT // 2 + 1)  # boots of a result; of few boots the two results share one
DEALS = 60


def known(metric):
    """The cases of a metric, and float64[cases, boots]."""
    some = BOOTS[BOOTS["metric"] == metric].reset_index(drop=True)
    return some[CASE], some.filter(like="boot").to_numpy(dtype=np.float64)


def rows(cases, values):
    """float64[cases, boots] as rows of exact counts, with one process a boot."""
    count = values.shape[1]
    frame = cases.loc[cases.index.repeat(count)].reset_index(drop=True)
    boot = np.tile(np.arange(count), len(cases))
    return frame.assign(boot=boot, process=boot, round=0, value=values.ravel(), quantity=INSTRUCTIONS, exact=True)


def claims(metric, cases, base, new):
    """bool[cases]: which differences are claimed."""
    found = samples.differences(rows(cases, base), rows(cases, new), CASE, "value").reset_index()
    claimed = found["apart"] & ~comparison.of_the_worker(found, metric)
    order = pd.MultiIndex.from_frame(cases)
    return claimed.set_axis(pd.MultiIndex.from_frame(found[CASE])).reindex(order).to_numpy()


def dealt(values, side=SIDE):
    """Yield two results of some boots each, drawn at random."""
    rng = np.random.default_rng(11)
    for _ in range(DEALS):
        order = rng.permutation(values.shape[1])
        yield values[:, order[:side]], values[:, order[-side:]]


@pytest.mark.parametrize("metric", METRICS)
def test_equal_kernels_are_not_called_different(metric):
    cases, values = known(metric)
    wrong = [claims(metric, cases, *sides).any() for sides in dealt(values)]
    assert np.mean(wrong) <= 0.02


@pytest.mark.parametrize("metric", METRICS)
def test_three_boots_do_not_either(metric):
    cases, values = known(metric)
    wrong = [claims(metric, cases, *sides).any() for sides in dealt(values, 3)]
    assert np.mean(wrong) <= 0.04


@pytest.mark.parametrize(("metric", "forms"), [("dirty", None), ("collect", None), ("reset", ["scan-wp"])])
def test_one_instruction_more_a_page_is_found(metric, forms):
    """A write fault takes 1,600 instructions, a scan 24 a page: 0.06 % and 4 %."""
    cases, values = known(metric)
    pages = cases["pages"] * (cases["dirty_percent"] / 100 if metric == "dirty" else 1)
    mine = (pages >= 100) & (cases["form"].isin(forms) if forms else True)
    more = values + np.ceil(pages).to_numpy()[:, None]
    found = claims(metric, cases, values[:, :SIDE], more[:, :SIDE])
    assert found[mine].mean() > 0.9


def test_where_the_whole_process_is_walked_a_page_of_the_worker_is_no_change():
    cases, values = known("reset")
    walked = cases["form"].isin(["clear_refs", "scan-softdirty"]).to_numpy()
    some = np.repeat(values[:, :1], 5, axis=1)
    assert not claims("reset", cases, some, some + 900)[walked].any()
    assert claims("reset", cases, some, some + 4000)[walked].any()
    assert claims("dirty", cases, some, some * 1.01)[walked].all(), "writes walk nothing"


def test_fewer_boots_need_more_of_a_change_and_two_tell_nothing():
    cases, values = known("collect")
    same = 1e6 + np.repeat(values[:, :1], 5, axis=1)
    assert claims("collect", cases, same, same * (1 + 1.1 * samples.EXACT_CHANGE)).all()
    few = same[:, :3]
    assert not claims("collect", cases, few, few * (1 + 1.1 * samples.EXACT_CHANGE)).any()
    assert claims("collect", cases, few, few * (1 + 1.1 * samples.EXACT_FEW_CHANGE)).all()
    assert not claims("collect", cases, same[:, :2], 2 * same[:, :2]).any()


def test_a_few_instructions_are_no_change():
    cases, values = known("collect")
    same = np.repeat(values[:, :1], 5, axis=1)
    assert not claims("collect", cases, same, same + samples.EXACT_LEAST - 1).any()
    assert claims("collect", cases, same, same + samples.EXACT_LEAST)[same[:, 0] < 20_000].all()


def test_counts_of_the_clock_are_not_taken_for_exact_ones():
    cases, values = known("collect")
    some = rows(cases, values)
    assert samples.exact(some)
    assert not samples.exact(some, some.assign(exact=False))
    assert samples.least_change(some, some.assign(exact=False)) == samples.LEAST_CHANGE
    assert samples.repeats(some.drop(columns="exact")) == samples.REPEATS
