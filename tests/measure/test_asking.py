# SPDX-License-Identifier: GPL-2.0-only
"""However collect asks, and wherever it has to resume, the pages reported are the same."""

import itertools
import time

import pytest

from bench.measure.core import Ask, Mapping, Pattern, Tracker
from bench.plan.grids import make_point
from tests.measure.conftest import order, rounds
from tests.measure.test_interfaces import merged, ranges, write

PAGES = 3000
ASKS = [
    Ask(vec_len=1),
    Ask(vec_len=32),
    Ask(vec_len=512),
    Ask(vec_len=513),
    Ask(max_pages=1),
    Ask(max_pages=64),
    Ask(max_pages=700),
    Ask(vec_len=7, max_pages=5),
    Ask(read_bytes=8),
    Ask(read_bytes=4096),
    Ask(read_bytes=0),
    Ask(extra_masks=True),
    Ask(extra_masks=True, vec_len=3, max_pages=100),
    Ask(scanners=2),
    Ask(scanners=7, vec_len=5),
]


@pytest.mark.parametrize("workload", ["strided", "random", "all"])
def test_every_way_of_asking_is_exact(any_interface, workload):
    """More than 512 ranges, runs longer than max_pages, and single pages: each resumption could lose or repeat some."""
    point = make_point(workload, PAGES, 40)
    pattern = Pattern(order(point, 3), PAGES)
    for ask, atomic in itertools.product(ASKS, [False, True] if any_interface.atomic else [False]):
        with Mapping(PAGES) as mapping, Tracker(any_interface.name, mapping, ask) as tracker:
            found = tracker.run(pattern, rounds(any_interface, 3), atomic=atomic)
            assert {(i.extra, i.missed) for i in found} == {(0, 0)}, (ask, atomic)


def test_small_answers_are_small(scan_wp):
    """A vec_len of 1 takes a call for each range: the kernel is really asked as it says."""
    with Mapping(64) as mapping, Tracker(scan_wp.name, mapping, Ask(max_pages=2)) as tracker:
        tracker.reset()
        write(mapping, range(10, 17))
        assert tracker.collect() == [(10, 12), (12, 14), (14, 16), (16, 17)]
        assert merged(tracker.collect()) == ranges(range(10, 17))


def test_get_alone_and_write_protect_alone(scan_wp):
    with Mapping(64) as mapping, Tracker(scan_wp.name, mapping) as tracker:
        tracker.reset()
        write(mapping, [3])
        assert tracker.collect() == tracker.collect() == [(3, 4)], "a GET changes nothing"
        tracker.reset()
        assert tracker.collect() == [], "a write-protect reports nothing and forgets all"


def test_the_callers_rhythm_is_kept_and_is_nobodys_cost(scan_wp):
    pattern = Pattern(order(make_point("random", 64, 10), 3), 64)
    with Mapping(64) as mapping, Tracker(scan_wp.name, mapping, Ask(every_us=20_000)) as tracker:
        began = time.monotonic()
        found = tracker.run(pattern, 5, atomic=True)
        took = time.monotonic() - began
    assert took >= 4 * 0.02
    assert min(i.collect_ns + i.dirty_ns for i in found) < 20e6
