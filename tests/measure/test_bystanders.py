# SPDX-License-Identifier: GPL-2.0-only
"""Bystanders: what they note, that it is counted for the phase it met, and that they leave nothing behind."""

import errno
import os
import signal
import time

import psutil
import pytest

from bench.measure import timing
from bench.measure.core import Bystander, Mapping, Pattern, Tracker, table
from bench.plan.bystanders import BYSTANDERS
from bench.plan.grids import make_point
from bench.plan.kinds import Ask, Layout
from bench.plan.records import ANY, APART, latency
from tests.measure.conftest import order, working

PAGES = 2048
ROUNDS_SECONDS = 60  # for what takes a moment where nothing else wants the CPU
PAUSE = {"cpu": -1, "pause_us": timing.PAUSE_US}  # in turn with the tracker, as on one CPU


def noted(tracker, pattern, what, wanted, *, atomic=False, warmups=0, count=20):
    """Run intervals beside a bystander until it has noted something in every row that is wanted; return each round."""
    end, rounds = time.monotonic() + ROUNDS_SECONDS, []
    while not all(any(one[row] for one in rounds) for row in wanted):
        assert time.monotonic() < end, f"no operation overlapped one of {wanted}"
        with Bystander(tracker, what, count, atomic=atomic, warmups=warmups, **PAUSE) as bystander:
            found = tracker.run(pattern, count, atomic=atomic, warmups=warmups)
            seen = bystander.stop()
        assert [(i.extra, i.missed) for i in found] == [(0, 0)] * count, "nothing is tracked worse for it"
        for counts, most in zip(seen.counts, seen.most, strict=True):
            first, end_of = latency(max(counts, default=0))
            assert first <= most < end_of
        rounds.append(dict(zip(timing.BESIDE, seen.counts, strict=True)))
    return rounds


@pytest.mark.parametrize("what", BYSTANDERS)
def test_operations_are_counted_for_the_phases_that_they_met(interface, what):
    """A form has its own phases only, and who met any is counted once more among all."""
    pattern = Pattern(order(make_point("random", PAGES, 30), 2), PAGES)
    for atomic in interface.forms:
        own = {"dirty", "collect_reset"} if atomic else {"reset", "dirty", "collect"}
        with Mapping(PAGES) as mapping, Tracker(interface.name, mapping) as tracker:
            rounds = noted(tracker, pattern, what, [ANY], atomic=atomic)
            assert tracker.struct.interface == table(interface.name), "it has its interface back"
        for one in rounds:
            assert not any(one[phase] for phase in set(one) - own - {ANY, APART})
            sums = {row: sum(counts.values()) for row, counts in one.items()}
            assert max(sums[phase] for phase in own) <= sums[ANY] <= sum(sums[phase] for phase in own)


def test_a_reset_that_takes_long_is_met():
    """mprotect() holds mmap_lock for writing while it changes all of the mapping."""
    pattern = Pattern(order(make_point("random", 16 * PAGES, 0.1), 2), 16 * PAGES)
    with Mapping(16 * PAGES) as mapping, Tracker(working("mprotect").name, mapping) as tracker:
        noted(tracker, pattern, "mmap", ["reset"], count=3)


def test_what_lies_between_two_intervals_is_apart():
    """The tracker sleeps in its rhythm: who meets no phase is not counted for any."""
    pattern = Pattern(order(make_point("random", 64, 30), 2), 64)
    with Mapping(64) as mapping, Tracker(working("mprotect").name, mapping, Ask(every_us=3000)) as tracker:
        rounds = noted(tracker, pattern, "mmap", [APART, "reset"], count=10)
    assert sum(sum(one[APART].values()) for one in rounds) > sum(sum(one["collect"].values()) for one in rounds)


def test_what_is_done_with_reported_pages_is_met_too():
    """It follows the collect, which does not end the interval then."""
    pattern = Pattern(order(make_point("random", PAGES, 90), 2), PAGES)
    with Mapping(PAGES) as mapping, Tracker(working("mprotect").name, mapping, Ask(then="copy")) as tracker:
        act = tracker.struct.act
        rounds = noted(tracker, pattern, "mmap", ["act"], warmups=2)
        assert tracker.struct.act == act, "it has its act back"
    assert all(sum(one["act"].values()) <= sum(one[ANY].values()) for one in rounds)


def test_nothing_of_warmups_is_noted():
    pattern = Pattern(order(make_point("random", PAGES, 30), 2), PAGES)
    with (
        Mapping(PAGES) as mapping,
        Tracker(working("mprotect").name, mapping) as tracker,
        Bystander(tracker, "fault", 5, atomic=False, warmups=5, **PAUSE) as bystander,
    ):
        tracker.run(pattern, 5, atomic=False)
        seen = bystander.stop()
    assert not any(seen.counts)
    assert not any(seen.most)
    assert seen.ended == 0


def test_an_operation_that_fails_is_an_error_that_names_it():
    """The tracked process has died: its smaps are empty, or can't be opened."""
    with Mapping(64, Layout(outside=-1)) as mapping, Tracker("none", mapping) as tracker:
        os.kill(mapping.process_id(), signal.SIGKILL)
        os.waitid(os.P_PID, mapping.process_id(), os.WEXITED | os.WNOWAIT)
        for what in ("smaps", "pagemap"):
            with pytest.raises(OSError, match=r"smaps|pagemap|bystander") as refused, \
                 Bystander(tracker, what, 1, atomic=False) as bystander:  # fmt: skip
                bystander.stop()
            assert refused.value.errno in (errno.EPROTO, errno.ESRCH, errno.ENOENT, errno.EIO)


@pytest.mark.parametrize("what", ["fault", "smaps"])
def test_none_outlives_its_tracker(what):
    def alive():
        return {child.pid for child in psutil.Process().children()}, psutil.Process().num_threads()

    before, end = alive(), time.monotonic() + 20
    with Mapping(64) as mapping, Tracker("none", mapping) as tracker, Bystander(tracker, what, 1, atomic=False):
        pass
    while alive() != before and time.monotonic() < end:
        time.sleep(0.01)  # who has joined a thread may be faster than its end in the kernel
    assert alive() == before
