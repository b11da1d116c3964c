# SPDX-License-Identifier: GPL-2.0-only
"""The order in which kernels take turns."""

from hypothesis import given
from hypothesis import strategies as some

from bench.plan.plan import turns


@given(some.lists(some.integers(1, 6), min_size=1, max_size=4), some.integers(0, 1000))
def test_every_boot_has_one_turn(boots, seed):
    order = turns(boots, seed)
    assert sorted(order) == [(plan, boot) for plan, count in enumerate(boots) for boot in range(count)]
    for plan in range(len(boots)):
        assert [boot for which, boot in order if which == plan] == list(range(boots[plan]))


@given(some.integers(2, 6), some.integers(2, 4), some.integers(0, 1000))
def test_the_base_stands_at_both_ends_and_no_kernel_runs_ahead(boots, kernels, seed):
    order = [plan for plan, _ in turns([boots] * kernels, seed)]
    assert order[0] == order[-1] == 0
    for start in range(0, len(order), kernels):
        assert sorted(order[start : start + kernels]) == list(range(kernels))


def test_one_boot_of_each_has_the_base_around_it():
    assert turns([2, 1], 42) == [(0, 0), (1, 0), (0, 1)]


def test_the_seed_decides_and_repeats():
    orders = {tuple(turns([5, 5, 5], seed)) for seed in range(20)}
    assert len(orders) > 10
    assert turns([5, 5, 5], 7) == turns([5, 5, 5], 7)
