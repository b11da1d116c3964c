# SPDX-License-Identifier: GPL-2.0-only
"""What a tracker does with reported pages, and what does so without one: backups are memory, wiped memory is zero."""

from array import array
from pathlib import Path

import pytest

from bench.measure import probe
from bench.measure.core import Ask, Mapping, Pattern, Tracker, check, ffi
from bench.plan.interfaces import INTERFACES
from bench.plan.kinds import THEN, Layout
from tests.measure.conftest import rounds

PAGES = 700
EVERY_THIRD = array("I", range(0, PAGES, 3))
COPIES = [name for name, row in INTERFACES.items() if row.instead == "copy"]


@pytest.fixture(params=COPIES)
def copies(request):
    if reason := probe.probe(INTERFACES[request.param]).refused:
        pytest.skip(reason.why)
    return request.param


def content(mapping):
    return bytes(ffi.buffer(mapping.struct.base, mapping.pages * mapping.page_size))


def saved(tracker, mapping):
    """The backup, or what the process holds."""
    if not tracker.struct.holder:
        return bytes(ffi.buffer(tracker.struct.backup, mapping.pages * mapping.page_size))
    with open(f"/proc/{tracker.struct.holder}/mem", "rb", buffering=0) as memory:
        memory.seek(int(ffi.cast("uintptr_t", mapping.struct.base)))
        return memory.read(mapping.pages * mapping.page_size)


@pytest.mark.parametrize("then", list(filter(None, THEN)))
def test_what_was_reported_is_copied_or_wiped(any_interface, then):
    if not any_interface.addresses:
        pytest.skip(f"{any_interface.name} says how many pages, and not which")
    with Mapping(PAGES) as mapping, Tracker(any_interface.name, mapping, Ask(then=then)) as tracker:
        for atomic in any_interface.forms:
            found = tracker.run(Pattern(EVERY_THIRD, PAGES), rounds(any_interface, 3), atomic=atomic)
            assert {(i.extra, i.missed) for i in found} == {(0, 0)}
            assert all(i.act_ns > 100 for i in found), "234 pages take longer than a tenth of a microsecond"
            if then == "copy":
                assert content(mapping) == saved(tracker, mapping)
            else:
                assert not any(content(mapping))


def test_a_copy_without_tracking_is_memory_at_that_instant(copies):
    with Mapping(PAGES) as mapping, Tracker(copies, mapping, Ask(then="copy")) as tracker:
        found = tracker.run(Pattern(EVERY_THIRD, PAGES), 4, atomic=False)
        assert {(i.extra, i.missed) for i in found} == {(0, 0)}
        assert all(i.act_ns > 1000 for i in found), "700 pages take longer than a microsecond"
        then = content(mapping)
        mapping.buffer()[0:3] = b"new"
        assert saved(tracker, mapping) == then != content(mapping)


@pytest.mark.parametrize("then", list(filter(None, THEN)))
def test_what_is_not_as_it_should_be_is_counted(scan_wp, then):
    """A page that no report names, since it was written before tracking: neither saved nor wiped, and so missed."""
    with Mapping(PAGES) as mapping, Tracker(scan_wp.name, mapping, Ask(then=then)) as tracker:
        mapping.buffer()[4097] = b"x"
        found = tracker.run(Pattern(EVERY_THIRD, PAGES), 3, atomic=False)
        assert [(i.extra, i.missed) for i in found] == [(0, 1)] * 3


def test_a_forked_process_that_shares_the_memory_is_no_snapshot():
    """Shared memory: the next writes reach what it holds, in each interval but the first."""
    with Mapping(PAGES, Layout("shmem")) as mapping, Tracker("fork-cow", mapping, Ask(then="copy")) as tracker:
        found = tracker.run(Pattern(EVERY_THIRD, PAGES), 3, atomic=False)
        assert [i.missed for i in found] == [0, len(EVERY_THIRD), len(EVERY_THIRD)]
    assert "shared" in probe.probe(INTERFACES["fork-cow"], Layout("shmem")).refused.why
    assert probe.probe(INTERFACES["copy-all"], Layout("shmem")).refused is None


def test_the_process_that_holds_a_snapshot_ends_with_its_tracker():
    with Mapping(PAGES) as mapping:
        with Tracker("fork-cow", mapping, Ask(then="copy")) as tracker:
            tracker.run(Pattern(EVERY_THIRD, PAGES), 2, atomic=False)
            holder = int(tracker.struct.holder)
            assert Path(f"/proc/{holder}").exists()
        assert not Path(f"/proc/{holder}").exists()


def test_ranges_outside_the_memory_are_not_touched(scan_wp):
    """What a kernel makes up must not be wiped: only the part that is tracked is."""
    with Mapping(PAGES, Layout(watched=512)) as mapping, Tracker(scan_wp.name, mapping, Ask(then="wipe")) as tracker:
        tracker.reset()
        base = int(ffi.cast("uintptr_t", mapping.struct.base))
        mapping.buffer()[:] = b"x" * (PAGES * mapping.page_size)
        tracker.struct.ranges[0] = [base - (1 << 30), base + (1 << 30), 0]
        tracker.struct.ranges[1] = [base + (1 << 30), base + (1 << 31), 0]
        tracker.struct.n_ranges = 2
        check(tracker.struct.act(tracker.struct))
        left = content(mapping)
        assert not any(left[: 512 * mapping.page_size])
        assert set(left[512 * mapping.page_size :]) == {ord("x")}


def test_an_act_that_nobody_asked_for_is_none(copies):
    with Mapping(PAGES) as mapping, Tracker(copies, mapping) as tracker:
        found = tracker.run(Pattern(EVERY_THIRD, PAGES), 2, atomic=False)
        assert [(i.extra, i.missed, i.act_ns) for i in found] == [(0, 0, 0)] * 2
