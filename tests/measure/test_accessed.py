# SPDX-License-Identifier: GPL-2.0-only
"""Intervals that read: what tracks accesses reports each of them, and what tracks writes only those."""

import pytest

from bench.measure.core import Mapping, Pattern, Tracker, Writers
from bench.measure.events import USER, Events
from bench.plan.grids import make_point
from bench.plan.interfaces import ACCESSED, INTERFACES, TRACKERS, WRITTEN
from bench.plan.kinds import Layout
from tests.measure.conftest import order, working

EXACT = [name for name in TRACKERS[ACCESSED] if not INTERFACES[name].young]
SUM = next(name for name in TRACKERS[ACCESSED] if not INTERFACES[name].addresses)
PAGES = 300


def pattern(reads, **settings):
    """30 % of the pages, so many percent of the accesses reads; each page once."""
    point = make_point("random", PAGES, 30, read_percent=reads, **settings)
    pages = order(point, 3)
    return Pattern(pages, PAGES, point.reads(len(pages)))


@pytest.fixture(params=EXACT)
def exact(request):
    return working(request.param)


@pytest.mark.parametrize(("percent", "count"), [(100, 90), (50, 45), (1, 0), (34, 30), (0, 0)])
def test_so_many_accesses_are_reads_evenly_spread(percent, count):
    point = make_point("random", PAGES, 30, read_percent=percent)
    reads = point.reads(90) or bytes(90)
    assert sum(reads) == count
    assert abs(sum(reads[:45]) - count / 2) <= 1
    found = pattern(percent)
    assert (found.accessed, found.written) == (90, 90 - count)


@pytest.mark.parametrize("reads", [0, 50, 100])
def test_every_access_is_reported_whatever_it_is(exact, reads):
    with Mapping(PAGES) as mapping, Tracker(exact.name, mapping) as tracker:
        found = tracker.run(pattern(reads), 4, atomic=False)
    assert [(one.extra, one.missed) for one in found] == [(0, 0)] * 4


@pytest.mark.parametrize("reads", [50, 100])
def test_threads_read_too(exact, reads):
    accesses = pattern(reads)
    with (
        Mapping(PAGES) as mapping,
        Tracker(exact.name, mapping) as tracker,
        Writers(mapping, accesses, 2, shared=False, cpus=[0]) as writers,
    ):
        found = tracker.run(accesses, 3, atomic=False, writers=writers)
    assert [(one.extra, one.missed) for one in found] == [(0, 0)] * 3


@pytest.mark.parametrize("name", [*EXACT, "scan-wp"])
def test_another_process_reads_too(name):
    interface = working(name)
    with Mapping(PAGES, Layout(outside=-1)) as mapping:
        try:
            tracker = Tracker(interface.name, mapping)
        except OSError as error:
            pytest.skip(f"another's memory: {error.filename}")
        with tracker:
            found = tracker.run(pattern(50), 3, atomic=False)
    assert [(one.extra, one.missed) for one in found] == [(0, 0)] * 3


@pytest.mark.parametrize("name", [name for name in TRACKERS[WRITTEN] if INTERFACES[name].flushes])
def test_a_read_is_no_write(name):
    interface, accesses = working(name), pattern(50)
    with Mapping(PAGES) as mapping, Tracker(interface.name, mapping) as tracker:
        for atomic in interface.forms:
            found = tracker.run(accesses, 3, atomic=atomic)
            assert [(one.extra, one.missed) for one in found] == [(0, 0)] * 3
        tracker.reset()
        assert tracker.collect() == []
        assert tracker.check(accesses) == (0, 45), "those that are writes"


def test_an_interval_with_counters_reads_too(scan_wp):
    """Only a write faults in memory that is write-protected."""
    faults = {}
    for reads in (0, 100):
        with Mapping(PAGES) as mapping, Events(USER) as events, Tracker(scan_wp.name, mapping) as tracker:
            events.run(tracker, pattern(reads), 3, atomic=False, writers=None, warmups=1)
            faults[reads] = events.counters(["dirty"], 2)["dirty"]["page-faults:u"]
    assert faults[0][0] == 90
    assert faults[100][0] == 0


def test_of_a_sum_the_count_is_checked():
    interface, accesses = working(SUM), pattern(50)
    with Mapping(PAGES) as mapping, Tracker(interface.name, mapping) as tracker:
        for said, wrong in ((90, (0, 0)), (97, (7, 0)), (0, (0, 90))):
            tracker.struct.sum = said
            assert tracker.total() == said
            assert tracker.check(accesses) == wrong


def test_the_sum_is_of_the_mapping_and_a_reset_takes_all_away():
    """Others clear accessed bits too, reclaim and DAMON, so that the sum may be smaller; nobody sets them."""
    interface = working(SUM)
    with Mapping(PAGES) as mapping, Tracker(interface.name, mapping) as tracker:
        tracker.collect()
        assert PAGES / 2 < tracker.total() <= PAGES
        tracker.reset()
        tracker.collect()
        assert tracker.total() == 0
