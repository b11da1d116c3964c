# SPDX-License-Identifier: GPL-2.0-only
"""Several at once: writers that meet or have a rhythm, trackers in one address space, processes that are tracked."""

import os
import re
import time
from array import array

import psutil
import pytest

from bench.measure import probe
from bench.measure.core import Mapping, Pattern, Tracker, Writers, check, ffi
from bench.plan.grids import make_point
from bench.plan.records import Timed
from tests.measure.conftest import order
from tests.measure.test_worker import WORKING, work
from tests.measure.test_writers import OUTSIDE

PAGES = 2050  # that no two or four share equally


def cpus():
    return sorted(os.sched_getaffinity(0))


def staged(interface, point):
    """What a worker makes of a point: (pattern, mapping, tracker, writers or None), each a context but the first."""
    pages = point.overlapped(order(point, 3))
    pattern = Pattern(pages, point.watched, point.reads(len(pages)))
    mapping = Mapping(point.pages, point.layout(cpus=cpus()))
    return pattern, mapping, Tracker(interface.name, mapping, point.ask, cpus()[1:])


def run(interface, count=4, **settings):
    """Intervals of a point, in each form of the interface."""
    point = make_point("random", PAGES, 40, **settings)
    found = []
    for atomic in interface.forms:
        pattern, mapping, tracker = staged(interface, point)
        with mapping, tracker:
            if point.external or point.alone:
                found += tracker.run(pattern, count, atomic=atomic, concurrent=bool(point.concurrent))
                continue
            shared = point.sharing == "shared"
            with Writers(mapping, pattern, point.writers, shared=shared, cpus=cpus(), rhythm=point.rhythm) as writers:
                concurrent = bool(point.concurrent)
                found += tracker.run(pattern, count, atomic=atomic, writers=writers, concurrent=concurrent)
    return found


def several(interface):
    if interface.single:
        pytest.skip(f"{interface.name}: {interface.single}")
    return interface


def outside(interface):
    if why := probe.probe(interface, OUTSIDE).refused:
        pytest.skip(f"{interface.name} on another process: {why.why}")
    return interface


def test_writers_that_overlap_write_all_pages_and_half_of_them_twice():
    point = make_point("random", PAGES, 40, writers=3, sharing="overlapping")
    plain = order(point, 3)
    pages = point.overlapped(plain)
    assert set(pages) == set(plain)
    assert len(pages) == pytest.approx(1.5 * len(plain), abs=3)
    writers = [pages[len(pages) * i // 3 : len(pages) * (i + 1) // 3] for i in range(3)]
    for own, following in zip(writers, [*writers[1:], writers[0]], strict=True):
        assert len(set(own) & set(following)) == pytest.approx(len(plain) / 3 / 2, abs=3), "half of its part"


@pytest.mark.parametrize("settings", [{}, {"read_percent": 50}], ids=["writes", "half-reads"])
def test_what_writers_that_overlap_write_is_reported(interface, settings):
    found = run(interface, writers=3, sharing="overlapping", **settings)
    assert [(i.extra, i.missed) for i in found] == [(0, 0)] * len(found)


def test_a_rhythm_is_counted_and_its_pages_are_reported(interface):
    """410 of 820 pages are the first writer's: 13 periods of 32 pages."""
    found = run(interface, writers=2, paced=1, budget=32, period_us=200)
    assert [(i.extra, i.missed, i.periods) for i in found] == [(0, 0, 13)] * len(found)
    assert all(0 <= i.late <= i.periods for i in found)


def test_a_period_that_nobody_can_keep_is_late_and_an_endless_one_is_not(scan_wp):
    """A page is not written in no time at all, and 410 pages are within a second."""
    assert all(i.late == i.periods > 0 for i in run(scan_wp, writers=1, paced=1, budget=820, period_us=1))
    assert not any(i.late for i in run(scan_wp, writers=1, paced=1, budget=820, period_us=9_000_000))


def test_several_trackers_of_one_address_space_report_each_page_once(interface):
    found = run(several(interface), trackers=3)
    assert [(i.extra, i.missed) for i in found] == [(0, 0)] * len(found)


def test_several_trackers_that_end_tracking_leave_all_of_the_memory_free(scan_wp):
    """Each its part: none is registered with userfaultfd any more (uw in VmFlags)."""
    point = make_point("random", PAGES, 40, trackers=3)
    pattern, mapping, tracker = staged(scan_wp, point)

    def registered():
        base = int(ffi.cast("uintptr_t", mapping.struct.base))
        with open("/proc/self/smaps") as smaps:
            areas = re.findall(r"^(\w+)-(\w+) .*?^VmFlags:(.*?)$", smaps.read(), re.MULTILINE | re.DOTALL)
        end = base + PAGES * mapping.page_size
        return {" uw" in flags for first, last, flags in areas if int(first, 16) < end and int(last, 16) > base}

    with mapping, tracker:
        tracker.run(pattern, 1, atomic=False)
        assert registered() == {True}
        check(tracker.struct.interface.disarm(tracker.struct))
        assert registered() == {False}


def test_who_asks_in_chunks_resets_a_part_alone(scan_wp):
    """What was reset before the first interval is small, and no work for several threads."""
    point = make_point("random", PAGES, 100, scanners=3, prior_percent=10)
    _, mapping, tracker = staged(scan_wp, point)
    with mapping, tracker:
        tracker.reset()
        mapping.buffer()[:] = b"x" * (PAGES * mapping.page_size)
        tracker.reset_part(point.prior)
        left = [page for first, end in tracker.collect() for page in range(first, end)]
    assert left == list(range(point.prior, PAGES))


def test_of_trackers_that_take_the_one_handler_at_once_one_is_refused_by_name():
    """Two that both had it would pass each other's page faults on for ever. Seldom, but TSan sees it."""
    with Mapping(PAGES, make_point("random", PAGES, 40).layout(cpus=cpus())) as mapping:
        for _ in range(50):
            ask = make_point("random", PAGES, 40, trackers=2).ask
            with pytest.raises(OSError, match="busy") as caught:
                Tracker("mprotect", mapping, ask, cpus()[1:]).__enter__()
            assert caught.value.filename == "sigaction(SIGSEGV)"


def test_several_trackers_lose_no_write_that_races_with_an_atomic_collect(scan_wp):
    point = make_point("random", 4 * PAGES, 100, trackers=2, writers=2, concurrent=1)
    pattern, mapping, tracker = staged(scan_wp, point)
    with mapping, tracker, Writers(mapping, pattern, 2, shared=False, cpus=cpus()) as writers:
        found = tracker.run(pattern, 40, atomic=True, writers=writers, concurrent=True)
    assert [(i.extra, i.missed) for i in found] == [(0, 0)] * 40


def test_several_trackers_that_collect_and_then_reset_lose_writes_that_are_counted(scan_wp):
    if len(cpus()) < 2:
        pytest.skip("one CPU: nothing is written while the tracker runs")
    point = make_point("random", 4 * PAGES, 100, trackers=2, writers=2, concurrent=1)
    pattern, mapping, tracker = staged(scan_wp, point)
    lost, end = 0, time.monotonic() + 60
    with mapping, tracker, Writers(mapping, pattern, 2, shared=False, cpus=cpus()) as writers:
        while not lost and time.monotonic() < end:
            found = tracker.run(pattern, 100, atomic=False, writers=writers, concurrent=True)
            assert sum(i.extra for i in found) == 0
            lost += sum(i.missed for i in found)
    assert lost > 0


@pytest.mark.parametrize("trackers", [1, 2, 3])
def test_several_processes_are_tracked_at_once(interface, trackers):
    found = run(outside(interface), external=1, targets=3, trackers=trackers)
    assert [(i.extra, i.missed) for i in found] == [(0, 0)] * len(found)


def test_processes_of_which_one_cannot_be_had_are_none(tmp_path):
    """The first of them already, and it does not stay."""
    layout = make_point("random", PAGES, 10, external=1, targets=3).layout(cpus=cpus())
    before = len(psutil.Process().children())
    with pytest.raises(OSError, match="No such file") as refused:
        Mapping(PAGES, layout._replace(kind="file-private", directory=str(tmp_path / "none"))).__enter__()
    assert refused.value.filename == "open(file in --directory)"
    assert len(psutil.Process().children()) == before


def test_the_pages_of_several_processes_are_those_of_the_pattern(scan_wp):
    """Each has its share of them, in its own memory: none is another's."""
    point = make_point("random", PAGES, 100, external=1, targets=3)
    wanted = [2, 3, 682, 683, 1365, 1366, 2049]  # both sides of where each ends, and the last
    with Mapping(PAGES, point.layout()) as mapping, Tracker(scan_wp.name, mapping, point.ask) as tracker:
        targets = mapping.struct.targets[0:3]
        assert len({one.pid for one in targets} | {os.getpid()}) == 4
        assert [one.pages for one in targets] == [683, 683, 684]
        found = tracker.run(Pattern(array("I", wanted), PAGES), 3, atomic=False)
        assert [(i.extra, i.missed) for i in found] == [(0, 0)] * 3
        held = [byte for one in targets for byte in first_bytes(one)]
    assert [page for page, byte in enumerate(held) if byte] == wanted
    assert {held[page] for page in wanted} == {2}, "what the last interval wrote"


def first_bytes(mapping):
    """The first byte of each page of another process's mapping."""
    with open(f"/proc/{mapping.pid}/mem", "rb") as memory:
        memory.seek(int(ffi.cast("uintptr_t", mapping.base)))
        return memory.read(mapping.pages * mapping.page_size)[:: mapping.page_size]


def test_pages_of_all_trackers_are_saved_though_another_pattern_was_written_before(scan_wp):
    """Each pattern is new to the tracker: what was reported before is no help."""
    point = make_point("random", PAGES, 40, trackers=3, then="copy")
    for count in (1, 2):
        pattern, mapping, tracker = staged(scan_wp, point)
        with mapping, tracker:
            others = Pattern(array("I", range(0, PAGES, count + 4)), PAGES)
            found = [*tracker.run(pattern, 2, atomic=False), *tracker.run(others, 3, atomic=False)]
            assert [(i.extra, i.missed) for i in found] == [(0, 0)] * 5


def test_a_worker_says_why_one_has_no_several_trackers_and_measures_the_others():
    point = make_point("random", 1024, 10, trackers=2)
    record = work(point, ["none", *WORKING], values=1)
    assert isinstance(record, Timed)
    measured = {one.interface for one in record.series}
    assert "none" in measured
    assert all("handler of SIGSEGV" in why for why in record.refused.values())
    assert measured | {label.removesuffix(" atomic") for label in record.refused} >= set(WORKING)
    assert [(one.extra, one.missed) for one in record.series if one.interface != "v6"] == [(0, 0)] * len(record.series)


def test_a_worker_keeps_the_rhythm_of_all_its_intervals():
    point = make_point("random", 1024, 100, writers=2, paced=1, budget=64, period_us=100)
    record = work(point, ["none", *WORKING[:1]], values=2)
    assert {one.periods / one.intervals for one in record.series} == {8}
