# SPDX-License-Identifier: GPL-2.0-only
"""What makes a median doubtful is seen, and noise is not."""

import math

import numpy as np
import pytest

from bench.stats import diagnostics
from bench.stats.samples import half_width
from tests.stats.test_samples import one, rows, simulated


def doubted(values):
    return diagnostics.doubts(rows([[v] for v in values]), ["form"], "cost").iloc[0]


@pytest.mark.parametrize(("boots", "boot_noise"), [(1, 0.0), (10, 0.005)])
def test_noise_is_not_doubted(boots, boot_noise):
    rng = np.random.default_rng(22)
    claims = 0
    for _ in range(60):
        found = diagnostics.doubts(simulated(rng, 88, boots=boots, boot_noise=boot_noise), ["case"], "cost")
        assert found["wide"].isna().all()
        claims += found[["drift", "split"]].notna().any(axis=None)
    assert claims <= 13, "each of two tests in 5 % of 60 results: more than 13 has a chance of 1 %"


def test_two_groups_of_values_are_seen():
    rng = np.random.default_rng(23)
    low, high = rng.normal(1, 0.002, 12), rng.normal(1.1, 0.002, 8)
    mixed = rng.permutation(np.concatenate([low, high]))
    assert doubted(mixed)["split"] == pytest.approx(0.1, abs=0.01)
    assert math.isnan(doubted(np.concatenate([low, low[:7], [1.1]]))["split"]), "one outlier is no group"
    assert math.isnan(doubted(1 + (mixed - 1) / 100)["split"]), "too close to matter"


def test_drift_is_seen_and_has_a_sign():
    rng = np.random.default_rng(24)
    drifting = rng.normal(1, 0.003, 20) + np.linspace(0, 0.06, 20)
    assert doubted(drifting)["drift"] == pytest.approx(0.04, abs=0.01)
    assert doubted(drifting[::-1])["drift"] == pytest.approx(-0.04, abs=0.01)
    assert math.isnan(doubted(rng.permutation(drifting))["drift"])


def test_a_wide_interval_is_seen():
    values = np.random.default_rng(25).lognormal(0, 0.5, 20)
    found = doubted(values)
    assert found["wide"] == pytest.approx(half_width(one([[v] for v in values])))
    assert found["wide"] > diagnostics.WIDE
