# SPDX-License-Identifier: GPL-2.0-only
"""A tracker's whole life: its phases are there and exact, and what its end leaves behind is found."""

import errno
import time

import pytest

from bench.measure.core import Mapping, Pattern, Tracker, Writers, ffi, lib, table
from bench.plan.grids import make_point
from bench.plan.interfaces import INTERFACES
from bench.plan.points import LIFE
from tests.measure.conftest import TRACKING, order, rounds, why_not, working
from tests.measure.test_worker import work

COUNT = 3
ENDING = [name for name in TRACKING if INTERFACES[name].ends]


@pytest.fixture(params=ENDING)
def ending(request):
    """An interface that something ends."""
    return working(request.param)


class Life:
    """A mapping, its pattern and one or no writer, on which an interface lives whose functions may be replaced."""

    def __init__(self, row, *, busy=False, **replaced):
        self.point = make_point("random", 600, 10, life="busy" if busy else "idle")
        self.mapping = Mapping(self.point.pages, self.point.layout())
        pages = order(self.point, 3)
        self.written = pages[::2]  # the others are read: which truth counts is the interface's property
        self.pattern = Pattern(pages, self.point.watched, bytes(i % 2 for i in range(len(pages))))
        self.writers = Writers(self.mapping, self.pattern, 1, shared=False, cpus=[0]) if busy else None
        self.tracker = Tracker(row.name, self.mapping, opened=False)
        self.own = ffi.new("struct interface *", table(row.name)[0])
        for name, function in replaced.items():
            setattr(self.own, name, function)
        self.tracker.struct.interface = self.own
        self.busy = busy

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tracker.close()
        if self.writers:
            self.writers.close()
        self.mapping.close()

    def live(self, atomic=False, count=COUNT):
        how = {"atomic": atomic, "writers": self.writers, "busy": self.busy}
        return self.tracker.live(self.pattern, count, **how)


@ffi.callback("int(struct tracker *)")
def nothing(state):
    return 0


@pytest.mark.parametrize("busy", [False, True])
def test_a_life_is_exact_and_leaves_nothing_behind(any_interface, busy):
    count = 1 + rounds(any_interface, COUNT)
    for atomic in any_interface.forms:
        with Life(any_interface, busy=busy) as life:
            took, intervals = life.live(atomic, count)
            written = {life.mapping.buffer()[page * 4096] for page in life.written}
        assert len(intervals) == count
        assert any_interface.misses or not any(one.extra or one.missed for one in intervals)
        there = {phase for phase in LIFE if any_interface.has(phase) and not (busy and phase == "after")}
        assert {phase for phase, ns in took.items() if ns} == there
        assert len(written) == 1


def test_a_disarm_that_does_nothing_is_found(ending):
    with Life(ending, disarm=nothing) as life:
        with pytest.raises(OSError, match="disarm: memory that it was to set free") as caught:
            life.live()
        assert caught.value.errno == errno.EBUSY


def test_a_write_that_is_lost_while_tracking_ends_is_found(ending):
    """Everything is dropped once the writer has finished, which it has when no page holds what it did before."""

    @ffi.callback("int(struct tracker *)")
    def disarm_and_drop(state):
        status = table(ending.name).disarm(state)
        held = life.mapping.buffer()
        limit = time.monotonic() + 20
        while len({held[page * 4096] for page in life.written}) > 1 and time.monotonic() < limit:
            time.sleep(0.001)
        base = int(ffi.cast("uintptr_t", state.mapping.base))
        return status or lib.stage_madvise(base, state.mapping.pages * 4096, 4)  # MADV_DONTNEED

    with Life(ending, busy=True, disarm=disarm_and_drop) as life:
        with pytest.raises(OSError, match="written meanwhile") as caught:
            life.live()
        assert caught.value.errno == errno.EIO


def test_a_second_life_that_differs_is_wrong(any_interface):
    """A reset that works until the tracker has been closed, and does nothing in its second life."""
    if not any_interface.addresses:
        pytest.skip(f"{any_interface.name} is exact to the page only in what it does not say")
    resets = []

    @ffi.callback("int(struct tracker *)")
    def once(state):
        resets.append(1)
        return table(any_interface.name).reset(state) if len(resets) <= COUNT + 1 else 0

    with Life(any_interface, reset=once) as life:
        _, intervals = life.live()
    assert len(resets) == COUNT + 3, "arm, two intervals, one in which nobody writes, a second life and its end"
    assert intervals[-1].extra or intervals[-1].missed
    assert not any(one.extra for one in intervals[:-1])


def test_a_worker_reports_the_phases_of_lives():
    names = [name for name in TRACKING if INTERFACES[name].prop == INTERFACES["none"].prop and not why_not(name)]
    if not names:
        pytest.skip(f"no interface works here: {why_not(TRACKING[0]).why}")
    for settings in ({"life": "idle"}, {"life": "busy", "writers": 2}, {"life": "idle", "external": 1}):
        point = make_point("random", 600, 10, **settings)
        usable = [name for name in names if name != "mprotect" or not point.external]
        for one in work(point, ["none", *usable], values=1).series:
            row = INTERFACES[one.interface]
            assert set(one.values) == {*point.phases(row, one.atomic), *point.life_phases(row)}
            assert set(one.warmups) == set(point.phases(row, one.atomic))
            assert (one.extra, one.missed) == (0, 0) or row.misses
            assert ("after" in one.values) == (settings == {"life": "idle"})
