# SPDX-License-Identifier: GPL-2.0-only
"""Each interface reports exactly the pages that were written, in the form all of them share."""

import errno
import os
import signal
import subprocess
import sys
from array import array

import pytest

from bench.measure.core import Mapping, Pattern, Tracker, ffi, table
from bench.plan import catalogue
from bench.plan.interfaces import ACCESSED, INTERFACES
from bench.plan.points import Point
from tests.measure.conftest import order, rounds, working

PAGES = 2048  # four page tables
ROUNDS = 20  # after which what each leaves behind is more than chance


def ranges(pages):
    """The sorted, merged [first, end) ranges of a set of pages: the truth, written as simply as can be."""
    out = []
    for page in sorted(pages):
        if out and out[-1][1] == page:
            out[-1] = (out[-1][0], page + 1)
        else:
            out.append((page, page + 1))
    return out


def merged(found):
    """Neighbouring ranges joined: PAGEMAP_SCAN cuts them where its bounce buffer was full."""
    out = []
    for first, end in found:
        assert first < end
        assert not out or out[-1][1] <= first, "ranges are sorted and do not overlap"
        if out and out[-1][1] == first:
            out[-1] = (out[-1][0], end)
        else:
            out.append((first, end))
    return out


def write(mapping, pages):
    view = mapping.buffer()
    for page in pages:
        view[page * mapping.page_size] = b"x"


@pytest.mark.parametrize("workload", catalogue.workloads())
def test_every_pattern_is_exact_in_every_interval(any_interface, workload):
    interface = any_interface
    point = Point(workload, PAGES, 50)
    pattern = Pattern(order(point, 7), PAGES)
    for atomic in [False, True] if interface.atomic else [False]:
        with Mapping(PAGES) as mapping, Tracker(interface.name, mapping) as tracker:
            found = tracker.run(pattern, rounds(interface, 3), atomic=atomic)
            assert {(i.extra, i.missed) for i in found} == {(0, 0)}
            assert pattern.written == len(set(order(point, 7)))


def test_ranges_are_the_pages_written_since_the_reset(interface):
    pages = order(Point("clustered", PAGES, 30), 3)
    with Mapping(PAGES) as mapping, Tracker(interface.name, mapping) as tracker:
        tracker.reset()
        write(mapping, [0, PAGES - 1])
        tracker.reset()
        assert tracker.collect() == []
        write(mapping, pages)
        assert merged(tracker.collect()) == ranges(pages)
        assert merged(tracker.collect()) == ranges(pages), "collect alone forgets nothing"
        tracker.reset()
        write(mapping, [5])
        assert tracker.collect() == [(5, 6)]


def test_more_ranges_than_the_kernels_bounce_buffer_holds(interface):
    """512 ranges fill do_pagemap_scan()'s buffer; each refill is where pages could be lost or repeated."""
    odd = range(1, 2 * PAGES, 2)
    with Mapping(2 * PAGES) as mapping, Tracker(interface.name, mapping) as tracker:
        for _ in range(2):
            tracker.reset()
            write(mapping, odd)
            assert tracker.collect() == [(page, page + 1) for page in odd]


def test_collect_reset_takes_each_write_once(interface):
    if not interface.atomic:
        with Mapping(4) as mapping, Tracker(interface.name, mapping) as tracker:
            with pytest.raises(OSError, match="collect_reset") as refused:
                tracker.collect_reset()
            assert refused.value.errno == errno.EOPNOTSUPP
        return
    odd = list(range(1, PAGES, 2))
    with Mapping(PAGES) as mapping, Tracker(interface.name, mapping) as tracker:
        tracker.reset()
        write(mapping, odd)
        assert merged(tracker.collect_reset()) == ranges(odd)
        assert tracker.collect_reset() == []
        write(mapping, [8])
        assert tracker.collect_reset() == [(8, 9)]


def test_what_the_kernel_writes_counts_and_what_is_read_only_as_an_access(interface):
    was_read = [(0, 1)] if interface.prop == ACCESSED else []
    with Mapping(64) as mapping, Tracker(interface.name, mapping) as tracker:
        tracker.reset()
        assert bytes(mapping.buffer()[0:8]) == bytes(8)
        with open("/proc/self/stat", "rb", buffering=0) as stat:
            into = memoryview(mapping.buffer())[7 * mapping.page_size :]
            if interface.kernel_writes:
                stat.readinto(into)
                assert tracker.collect() == [*was_read, (7, 8)]
                return
            with pytest.raises(OSError, match="address") as refused:
                stat.readinto(into)
            assert refused.value.errno == errno.EFAULT
            assert tracker.collect() == was_read


@pytest.mark.parametrize("harm", ["drop", "add", "shift", "repeat"])
def test_a_wrong_result_is_caught(any_interface, harm):
    """The check would see an interface that drops a range, adds a page, shifts one or says one twice."""
    order = array("I", [10, 20, 21, 40])
    pattern = Pattern(order, 64)
    with Mapping(64) as mapping, Tracker(any_interface.name, mapping) as tracker:
        tracker.reset()
        write(mapping, order)
        tracker.collect()
        assert tracker.check(pattern) == (0, 0)
        state, page = tracker.struct, mapping.page_size
        if harm == "drop":
            state.n_ranges -= 1
        elif harm == "add":
            state.ranges[0].end += page
        elif harm == "shift":
            state.ranges[0].start += page
            state.ranges[0].end += page
        else:
            state.ranges[state.n_ranges] = state.ranges[0]
            state.n_ranges += 1
        assert tracker.check(pattern) == {"drop": (0, 1), "add": (1, 0), "shift": (1, 1), "repeat": (1, 0)}[harm]


def test_a_reset_that_did_nothing_is_caught(interface):
    """Every interval writes the same pages: a reset that works once and then never again would look exact, and fast."""
    pattern = Pattern(array("I", [3, 9, 10]), 64)
    with Mapping(64) as mapping, Tracker(interface.name, mapping) as tracker:
        lazy = ffi.new("struct interface *", table(interface.name)[0])
        armed = []

        @ffi.callback("int(struct tracker *)")
        def once(state):
            armed.append(1)
            return table(interface.name).reset(state) if len(armed) == 1 else 0

        lazy.reset = once
        tracker.struct.interface = lazy
        found = tracker.run(pattern, 3, atomic=False)
        assert [(i.extra, i.missed) for i in found] == [(0, 0), (0, 0), (3, 0)], "the last interval says so"
        tracker.struct.interface = table(interface.name)


def test_a_failing_call_is_named_with_its_errno(interface):
    with Mapping(4) as mapping, Tracker(interface.name, mapping) as tracker:
        state = tracker.struct
        which = next((name for name in ("pagemap_fd", "uffd") if getattr(state, name) >= 0), None)
        if which:
            right = getattr(state, which)
            setattr(state, which, -1)
        else:
            mapping.close()
        with pytest.raises(OSError, match=r"'\S.*'") as refused:
            tracker.collect() if which == "pagemap_fd" else tracker.reset()
        if which:
            setattr(state, which, right)
        assert refused.value.errno == (errno.EBADF if which else errno.ENOMEM)


def test_nothing_stays_open_or_mapped(any_interface):
    interface = any_interface

    def held():
        maps = open("/proc/self/maps").read().count("\n")  # noqa: SIM115
        return len(os.listdir("/proc/self/fd")), maps

    with Mapping(PAGES) as mapping, Tracker(interface.name, mapping):
        pass
    files, maps = held()
    for _ in range(ROUNDS):
        with Mapping(PAGES) as mapping, Tracker(interface.name, mapping) as tracker:
            tracker.reset()
    now = held()
    assert now[0] == files
    # Python and the C library map and unmap for themselves: a map more or less is no leak of every round
    assert now[1] - maps < ROUNDS // 2


def test_scan_without_registration_is_refused(scan_wp):
    """PM_SCAN_CHECK_WPASYNC is always passed: without it, a reset of unregistered memory is silently nothing."""
    with Mapping(8) as mapping, Tracker(scan_wp.name, mapping) as tracker:
        os.close(tracker.struct.uffd)  # closing it unregisters everything
        tracker.struct.uffd = -1
        with pytest.raises(OSError, match="PAGEMAP_SCAN") as refused:
            tracker.reset()
        assert refused.value.errno == errno.EPERM


def test_the_limit_of_vmas_is_an_error_that_names_it():
    """Every other page of another protection is a VMA of its own, and mprotect's handler can't say no to a writer."""
    mprotect = working("mprotect")
    limit = int(open("/proc/sys/vm/max_map_count").read())  # noqa: SIM115
    if limit > 100_000:
        pytest.skip(f"vm.max_map_count is {limit}: too much memory to reach it")
    pages = limit + 4000
    pattern = Pattern(array("I", range(1, pages, 2)), pages)
    with Mapping(pages) as mapping, Tracker(mprotect.name, mapping) as tracker:
        with pytest.raises(OSError, match=r"vm\.max_map_count") as refused:
            tracker.run(pattern, 1, atomic=False)
        assert refused.value.errno == errno.ENOMEM
        assert [(i.extra, i.missed) for i in tracker.run(Pattern(array("I", [3, 9]), pages), 2, atomic=False)] == [
            (0, 0)
        ] * 2


def test_one_handler_of_a_signal_at_a_time_and_the_old_one_comes_back():
    mprotect = working("mprotect")
    with Mapping(4) as mapping, Tracker(mprotect.name, mapping):
        with pytest.raises(OSError, match="SIGSEGV") as refused:
            Tracker(mprotect.name, mapping)
        assert refused.value.errno == errno.EBUSY
    program = (
        "import ctypes, signal, faulthandler\n"
        "from bench.measure.core import Mapping, Tracker, ffi\n"
        "with Mapping(4) as m, Tracker('mprotect', m) as t:\n"
        "    t.reset(); m.buffer()[0:1] = b'x'; assert t.collect() == [(0, 1)]\n"
        "    ctypes.memset(int(ffi.cast('uintptr_t', m.struct.area)), 1, 1)  # a guard: not ours\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert done.returncode == -signal.SIGSEGV, done.stderr


@pytest.mark.parametrize("name", [row.name for row in INTERFACES.values() if not row.kernel_writes])  # by handlers
def test_a_killed_process_leaves_nothing(name):
    working(name)
    program = (
        "from array import array\n"
        "from bench.measure.core import Mapping, Pattern, Tracker\n"
        f"with Mapping(2000) as m, Tracker({name!r}, m) as t:\n"
        "    print('running', flush=True)\n"
        "    while True: t.run(Pattern(array('I', range(2000)), 2000), 100, atomic=False)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"running\n"
    process.kill()
    assert process.wait(timeout=60) == -signal.SIGKILL, "no thread of it hangs in the kernel"
    process.stdout.close()
