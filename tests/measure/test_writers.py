# SPDX-License-Identifier: GPL-2.0-only
"""Writers other than the tracker: threads, another process, and a tracker that collects while they write."""

import errno
import os
import signal
import subprocess
import sys
import time
from array import array

import psutil
import pytest

from bench.measure import probe
from bench.measure.core import Mapping, Pattern, Tracker, Writers
from bench.plan.grids import make_point
from bench.plan.interfaces import INTERFACES
from bench.plan.kinds import Layout
from tests.measure.conftest import TRACKING, order, working

PAGES = 2048
OUTSIDE = Layout(outside=-1)


def tracked_outside(interface):
    """The interface, or a skip with the reason why it can't track another process."""
    if why := probe.probe(interface, OUTSIDE).refused:
        pytest.skip(f"{interface.name} on another process: {why.why}")
    return interface


def cpus():
    return sorted(os.sched_getaffinity(0))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_writers_write_every_page_and_each_is_reported(interface, count, shared):
    pattern = Pattern(order(make_point("random", PAGES, 40), 2), PAGES)
    for atomic in [False, True] if interface.atomic else [False]:
        with (
            Mapping(PAGES) as mapping,
            Tracker(interface.name, mapping) as tracker,
            Writers(mapping, pattern, count, shared=shared, cpus=cpus()) as writers,
        ):
            found = tracker.run(pattern, 4, atomic=atomic, writers=writers)
            assert [(i.extra, i.missed) for i in found] == [(0, 0)] * 4
            assert all(i.dirty_ns > 0 for i in found)
            written = {page for page in range(PAGES) if mapping.buffer()[page * 4096] == b"\x03"}
            assert written == set(order(make_point("random", PAGES, 40), 2)), "the last interval wrote 3"


def test_an_atomic_collect_loses_no_write_that_races_with_it(scan_wp):
    """Get and write-protect under one page table lock: every page is in this report or in the next."""
    pattern = Pattern(order(make_point("random", 4 * PAGES, 100), 2), 4 * PAGES)
    with (
        Mapping(4 * PAGES) as mapping,
        Tracker(scan_wp.name, mapping) as tracker,
        Writers(mapping, pattern, 2, shared=False, cpus=cpus()) as writers,
    ):
        found = tracker.run(pattern, 60, atomic=True, writers=writers, concurrent=True)
    assert [(i.extra, i.missed) for i in found] == [(0, 0)] * 60


def test_the_check_of_concurrent_intervals_sees_a_lost_update(scan_wp):
    """GET, then write-protect: what is written in between is lost, and must be counted as missed."""
    if len(cpus()) < 2:
        pytest.skip("one CPU: nothing is written while the tracker runs")
    pattern = Pattern(order(make_point("random", 4 * PAGES, 100), 2), 4 * PAGES)
    with (
        Mapping(4 * PAGES) as mapping,
        Tracker(scan_wp.name, mapping) as tracker,
        Writers(mapping, pattern, 1, shared=False, cpus=cpus()[:1]) as writers,
    ):
        tracker_cpu = {cpus()[-1]}
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, tracker_cpu)
        try:
            found = tracker.run(pattern, 60, atomic=False, writers=writers, concurrent=True)
        finally:
            os.sched_setaffinity(0, before)
    assert sum(i.extra for i in found) == 0
    assert sum(i.missed for i in found) > 0


def test_another_process_is_tracked_exactly(interface):
    tracked_outside(interface)
    pattern = Pattern(order(make_point("random", PAGES, 30), 4), PAGES)
    for atomic in [False, True] if interface.atomic else [False]:
        with Mapping(PAGES, OUTSIDE) as mapping, Tracker(interface.name, mapping) as tracker:
            assert mapping.process_id() != os.getpid()
            found = tracker.run(pattern, 3, atomic=atomic)
            assert [(i.extra, i.missed) for i in found] == [(0, 0)] * 3


def test_a_pattern_may_be_younger_than_the_process(scan_wp):
    with Mapping(64, OUTSIDE) as mapping, Tracker(scan_wp.name, mapping) as tracker:
        for order in ([3, 9], [1], list(range(64))):
            pattern = Pattern(array("I", order), 64)
            assert [(i.extra, i.missed) for i in tracker.run(pattern, 2, atomic=True)] == [(0, 0)] * 2


def test_a_tracked_process_that_dies_is_an_error_that_says_so(scan_wp):
    pattern = Pattern(array("I", range(64)), 64)
    with Mapping(64, OUTSIDE) as mapping, Tracker(scan_wp.name, mapping) as tracker:
        os.kill(mapping.process_id(), signal.SIGKILL)
        for concurrent in (False, True):
            with pytest.raises(OSError, match=r"tracked process|PAGEMAP_SCAN") as refused:
                tracker.run(pattern, 1, atomic=False, concurrent=concurrent)
            assert refused.value.errno in (errno.ECHILD, errno.ESRCH)


def test_a_process_can_not_be_mprotected_by_another():
    why = probe.probe(working("mprotect"), OUTSIDE).refused
    assert "another's memory" in why.why


def test_what_fails_in_the_tracked_process_is_named():
    with pytest.raises(OSError, match="mmap") as refused:
        Mapping(1 << 31, Layout(kind="hugetlb", outside=-1))
    assert refused.value.errno == errno.ENOMEM


@pytest.mark.parametrize("outside", [None, -1])
@pytest.mark.parametrize("name", [name for name in TRACKING if INTERFACES[name].flushes])
def test_a_killed_worker_leaves_no_process_no_thread_and_no_file(name, outside):
    interface = working(name)
    if outside is not None:
        tracked_outside(interface)
    program = (
        "from array import array\n"
        "from bench.measure.core import Mapping, Pattern, Tracker, Writers\n"
        "from bench.plan.kinds import Layout\n"
        f"p = Pattern(array('I', range(2000)), 2000)\n"
        f"with Mapping(2000, Layout(kind='file-shared', outside={outside})) as m:\n"
        f"    with Tracker({name!r}, m) as t:\n"
        f"        w = None if {outside} is not None else Writers(m, p, 3, shared=True, cpus=[0])\n"
        "        print(m.process_id(), flush=True)\n"
        "        while True: t.run(p, 100, atomic=False, writers=w, concurrent=True)\n"
    )
    if why := probe.probe(interface, Layout(kind="file-shared", outside=outside)).refused:
        pytest.skip(f"{name} on file-shared: {why.why}")
    shm = set(os.listdir("/dev/shm"))
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    tracked = int(process.stdout.readline())
    time.sleep(0.2)
    process.kill()
    assert process.wait(timeout=60) == -signal.SIGKILL, "no thread of it hangs in the kernel"
    process.stdout.close()
    deadline = time.monotonic() + 60
    while psutil.pid_exists(tracked) and psutil.Process(tracked).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the tracked process outlives its tracker"
        time.sleep(0.05)
    assert set(os.listdir("/dev/shm")) == shm
