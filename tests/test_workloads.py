# SPDX-License-Identifier: GPL-2.0-only
"""Patterns: what any workload promises, for any size, fraction and seed."""

import itertools
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BadInput
from bench.measure.core import Pattern, draw, sample
from bench.plan import catalogue
from bench.plan.grids import grid, make_point
from bench.plan.points import Point, matching
from bench.plan.suites import SUITES
from tests.measure.conftest import order as ordered

sizes = st.integers(1, 3000)
seeds = st.integers(0, 2**64)
fractions = st.floats(0, 100)
names = st.sampled_from(sorted(catalogue.workloads()))
once = st.sampled_from(
    [name for name, one in catalogue.workloads().items() if one.dirty_percent is None and not one.repeats]
)


@given(names, sizes, fractions, seeds)
def test_every_workload_stays_inside_and_repeats_for_the_same_seed(name, pages, percent, seed):
    point = Point(name, pages, percent)
    order = ordered(point, seed)
    assert order.typecode == "I"
    assert all(0 <= page < pages for page in order)
    assert ordered(point, seed) == order
    assert Pattern(order, pages).written == len(set(order))
    assert catalogue.workload(name).repeats or len(order) == len(set(order))


@given(once, sizes, fractions, seeds)
def test_the_dirty_fraction_is_the_number_of_distinct_pages(name, pages, percent, seed):
    point = Point(name, pages, percent)
    order = ordered(point, seed)
    assert len(order) == len(set(order)) == point.dirty
    assert abs(point.dirty - pages * percent / 100) <= 0.5 or point.dirty == 1


@given(sizes, seeds)
def test_idle_writes_nothing_and_all_writes_everything(pages, seed):
    assert len(ordered(Point("idle", pages, 0), seed)) == 0
    assert list(ordered(Point("all", pages, 100), seed)) == list(range(pages))


@pytest.mark.parametrize("one", [one for one in catalogue.workloads().values() if one.dirty_percent is not None])
def test_a_workload_with_a_fixed_fraction_writes_that_share_whatever_is_asked_for(one):
    for asked in (0, 30, 100):
        assert len(set(ordered(Point(one.name, 1000, asked), 1))) == 10 * one.dirty_percent


@given(sizes, fractions, seeds)
def test_sequential_is_a_prefix_and_strided_is_spread_out(pages, percent, seed):
    point = Point("sequential", pages, percent)
    assert list(ordered(point, seed)) == list(range(point.dirty))
    order = list(ordered(Point("strided", pages, percent), seed))
    gaps = {b - a for a, b in itertools.pairwise(order)}
    assert len(gaps) <= 2
    assert all(gap >= pages // point.dirty for gap in gaps)


@given(st.integers(100, 3000), st.floats(5, 100), seeds)
def test_clustered_pages_come_in_aligned_runs_of_sixteen(pages, percent, seed):
    order = list(ordered(Point("clustered", pages, percent), seed))
    starts = [page for i, page in enumerate(order) if not i or order[i - 1] != page - 1 or page % 16 == 0]
    assert all(start % 16 == 0 for start in starts)
    assert len(starts) <= -(-len(order) // 16) + 1


@given(st.integers(1000, 3000), seeds)
def test_hotset_sends_four_of_five_writes_to_a_fifth_of_the_pages(pages, seed):
    order = ordered(Point("hotset", pages, 100), seed)
    assert len(order) == pages
    counts = sorted((order.count(page) for page in set(order)), reverse=True)
    assert sum(counts[: pages // 5]) >= 0.8 * pages


@given(st.integers(1, 2000), st.data(), seeds)
def test_a_sample_is_distinct_and_a_draw_is_not(total, data, seed):
    count = data.draw(st.integers(0, total))
    picked = sample(total, count, seed)
    assert len(set(picked)) == count
    assert sorted(sample(total, total, seed)) == list(range(total))
    assert all(page < total for page in draw(total, count, seed))


def test_samples_are_the_same_on_every_machine():
    assert sample(10, 10, 42) == array("I", [3, 2, 4, 5, 8, 7, 0, 9, 6, 1])
    assert list(draw(1000, 5, 42)) == list(draw(1000, 9, 42))[:5]


def test_a_sample_is_uniform():
    """Each of 20 pages is first in a permutation equally often: chi-square, 19 degrees, p = 0.001 at 43.8."""
    firsts = [sample(20, 1, seed)[0] for seed in range(4000)]
    assert sum((firsts.count(page) - 200) ** 2 / 200 for page in range(20)) < 43.8


def test_the_quick_suite_covers_what_it_promises():
    points = SUITES["quick"].points
    assert {p.pages for p in points if p.workload == "random"} == {1, 10, 100, 1000, 10_000, 65_536}
    assert len({p.dirty_percent for p in points if p.workload == "random" and p.pages == 65_536}) == 3
    patterns = {p.workload for p in points if p.pages == 10_000}
    assert len(patterns) >= 7, "the difference that the pattern makes is a question of its own"
    assert patterns <= set(catalogue.workloads())
    assert len({p.name for p in points}) == len(points)
    assert len({(p.workload, p.pages, p.dirty) for p in points}) == len(points), "no two points do the same"


def test_a_grid_keeps_the_first_of_equal_points():
    assert [p.name for p in grid(["random"], [1, 10], [10, 1, 100])] == [
        "random pages=1 dirty=10%",
        "random pages=10 dirty=10%",
        "random pages=10 dirty=100%",
    ]


def test_filter_matches_names_or_says_what_they_look_like():
    points = SUITES["quick"].points
    assert {p.workload for p in matching(points, "hotset*")} == {"hotset"}
    with pytest.raises(BadInput, match="matches no point") as refused:
        matching(points, "nothing*")
    assert "idle pages=1" in refused.value.hint


@pytest.mark.parametrize(("pages", "percent"), [(0, 10), (-1, 10), (2**32 + 1, 10), (10, -1), (10, 101)])
def test_sizes_that_cannot_be_are_refused(pages, percent):
    with pytest.raises(BadInput):
        make_point("random", pages, percent)
