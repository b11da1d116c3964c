# SPDX-License-Identifier: GPL-2.0-only
"""Who wipes slots: what they leave is zero, and counted where it is not; and threads that ask together come and go."""

import os
from array import array

import pytest

from bench.measure.core import Ask, Mapping, Pattern, Tracker, ffi
from bench.measure.probe import probe
from bench.plan.interfaces import INTERFACES, SLOTS
from bench.plan.kinds import Layout

PAGES = 700
EVERY_THIRD = array("I", range(0, PAGES, 3))


@pytest.fixture(params=SLOTS)
def slot(request):
    if reason := probe(INTERFACES[request.param]).refused:
        pytest.skip(reason.why)
    return request.param


def content(mapping):
    return bytes(ffi.buffer(mapping.struct.base, mapping.pages * mapping.page_size))


@pytest.mark.parametrize("ask", [Ask(), Ask(vec_len=4096), Ask(max_pages=5)], ids=str)
def test_nothing_of_what_was_written_is_left(slot, ask):
    with Mapping(PAGES, Layout(populate="none")) as mapping, Tracker(slot, mapping, ask) as tracker:
        found = tracker.run(Pattern(EVERY_THIRD, PAGES), 4, atomic=False)
        assert {(i.extra, i.missed) for i in found} == {(0, 0)}
        assert any(content(mapping)), "the last interval's writes"
        tracker.reset()
        assert not any(content(mapping))


def test_what_is_left_is_counted(slot):
    """Of shared memory MADV_DONTNEED drops page table entries alone, and a scan for pages of no file finds none."""
    with Mapping(PAGES, Layout("shmem", populate="none")) as mapping, Tracker(slot, mapping) as tracker:
        missed = [i.missed for i in tracker.run(Pattern(EVERY_THIRD, PAGES), 3, atomic=False)]
    kept = 0 if slot == "slot-memset" else len(EVERY_THIRD)
    assert missed == [0, 0, kept], "the first interval writes zeros"


def test_threads_that_ask_together_are_there_while_they_are_needed(scan_wp):
    def threads():
        return len(os.listdir("/proc/self/task"))

    before = threads()
    with Mapping(4096) as mapping, Tracker(scan_wp.name, mapping, Ask(scanners=5)):
        assert threads() == before + 4
    assert threads() == before
