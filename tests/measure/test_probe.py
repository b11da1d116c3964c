# SPDX-License-Identifier: GPL-2.0-only
"""A refusal is no wrong answer: what a probe says of interfaces that refuse, lie, or are not built in."""

import errno
import os
import signal
import time

import pytest

from bench.measure import answers, core, probe
from bench.measure.core import ffi, table
from bench.plan.grids import make_point
from bench.plan.interfaces import INTERFACES, LEGACY
from bench.plan.kinds import Layout
from tests.measure.conftest import TRACKING, working


def drop(state, page):
    state.n_ranges -= bool(state.n_ranges)


def add(state, page):
    if state.n_ranges:
        state.ranges[state.n_ranges - 1].end += page


def shift(state, page):
    for i in range(state.n_ranges):
        state.ranges[i].start += page
        state.ranges[i].end += page


def repeat(state, page):
    if state.n_ranges:
        state.ranges[state.n_ranges] = state.ranges[0]
        state.n_ranges += 1


def invent(state, page):
    if not state.n_ranges:
        start = int(ffi.cast("uintptr_t", state.mapping.base)) + 3 * page
        state.ranges[0].start, state.ranges[0].end, state.n_ranges = start, start + page, 1


def never(state, page):
    state.n_ranges = 0


def always(state, page):
    start = int(ffi.cast("uintptr_t", state.mapping.base))
    state.ranges[0].start, state.ranges[0].end, state.n_ranges = start, start + state.mapping.pages * page, 1


def lying(monkeypatch, name, lie):
    """Let what the interface of that name collects be falsified, as a kernel would."""

    class Liar(core.Tracker):
        def __init__(self, interface, mapping, *ask):
            super().__init__(interface, mapping, *ask)
            if interface != name:
                return
            honest = table(interface)

            def falsified(collect):
                @ffi.callback("int(struct tracker *)")
                def collect_and_lie(state):
                    page, err = state.mapping.page_size, collect(state)
                    if honest.sums:  # pages from the first on stand for it
                        start = int(ffi.cast("uintptr_t", state.mapping.base))
                        state.ranges[0].start, state.ranges[0].end = start, start + state.sum * page
                        state.n_ranges = state.sum > 0
                    lie(state, page)
                    state.sum = sum(one.end - one.start for one in state.ranges[0 : state.n_ranges]) // page
                    return err

                return collect_and_lie

            self.kept = ffi.new("struct interface *", honest[0]), falsified(honest.collect)
            self.kept[0].collect = self.kept[1]
            if honest.collect_reset:
                self.kept += (falsified(honest.collect_reset),)
                self.kept[0].collect_reset = self.kept[2]
            self.struct.interface = self.kept[0]

    monkeypatch.setattr(answers, "Tracker", Liar)


LIES = {
    "drop": (drop, "after pages 1,4,5 were written: reported 1 (missed 4,5)"),
    "add": (add, "after pages 1,4,5 were written: reported 1,4-6 (extra 6)"),
    "shift": (shift, "after pages 1,4,5 were written: reported 2,5,6 (missed 1,4; extra 2,6)"),
    "repeat": (repeat, "after pages 1,4,5 were written: reported 1,4,5 (1 twice or beyond what is tracked)"),
    "invent": (invent, "after a reset, and none written since: reported 3 (extra 3)"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_wrong_answer_is_a_finding_that_names_pages(interface, lie, monkeypatch):
    falsify, said = LIES[lie]
    lying(monkeypatch, interface.name, falsify)
    found = probe.probe(interface)
    assert found.refused is None
    assert found.wrong == f"asked for {interface.asks} of {probe.PROBE_PAGES} pages {said}"


def test_an_interface_that_is_honest_has_no_finding(any_interface):
    assert probe.probe(any_interface) == probe.Probed()


@pytest.mark.parametrize("lie", [never, always])
def test_what_never_changes_its_answer_lies_unless_the_kernel_has_no_such_thing(any_interface, lie, monkeypatch):
    """Soft-dirty that pagemap never has set is not built in; where it has it set, an ioctl that never says so lies."""
    lying(monkeypatch, any_interface.name, lie)
    found = probe.probe(any_interface)
    absent = any_interface.draft or (any_interface.name == LEGACY and lie is never)
    assert found.refused == (any_interface.nothing if absent else None)
    assert bool(found.wrong) == (not absent)


def test_a_wrong_scan_is_not_called_a_kernel_without_soft_dirty(monkeypatch):
    scan = next(row for row in INTERFACES.values() if row.role == "hybrid")
    working(scan.name)
    lying(monkeypatch, scan.name, never)
    found = probe.probe(scan)
    assert found.refused is None
    assert found.wrong.endswith("after pages 1,4,5 were written: reported none (missed 1,4,5)")


def tells(row):
    """Whether what it reports can be held against it: it tells pages, and is no estimate."""
    return row.tracks and row.kernel_writes and row.addresses and not row.samples


@pytest.mark.parametrize("name", [row.name for row in INTERFACES.values() if tells(row)])
def test_what_the_kernel_wrote_and_was_not_reported_is_a_finding(monkeypatch, name):
    """Only read(2)'s page is hidden: the 3rd one, which no other round writes."""
    interface = working(name)

    def hide(state, page):
        base = int(ffi.cast("uintptr_t", state.mapping.base))
        state.n_ranges -= any(state.ranges[i].start == base + 2 * page for i in range(state.n_ranges))

    lying(monkeypatch, interface.name, hide)
    assert probe.probe(interface).wrong.endswith("pages after read(2) wrote page 2: reported none")


def test_a_second_interval_that_is_wrong_is_told_apart(interface, monkeypatch):
    """As where the TLB is not flushed: what was written before the reset is written again, unseen."""
    calls = []

    def second(state, page):
        calls.append(1)
        if len(calls) == 2:
            drop(state, page)

    lying(monkeypatch, interface.name, second)
    assert "were written, reset and written again: reported 1 (missed 4,5)" in probe.probe(interface).wrong


def test_a_refusal_is_no_finding(monkeypatch, interface):
    def refuse(*_):
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY), "ioctl(PAGEMAP_SCAN)")

    monkeypatch.setattr(answers, "Tracker", refuse)
    found = probe.probe(interface)
    assert found.refused.why == "the kernel has no PAGEMAP_SCAN ioctl"
    assert not found.wrong


@pytest.mark.parametrize(
    ("end", "said"),
    [(lambda: os.kill(os.getpid(), signal.SIGKILL), "killed by SIGKILL"), (lambda: time.sleep(60), "did not end")],
)
def test_a_probe_that_comes_to_no_end_is_not_measured_and_not_mild(monkeypatch, end, said):
    monkeypatch.setattr(probe, "PROBE_SECONDS", 0.5)
    monkeypatch.setattr(answers, "answers", lambda *_: end())
    found = probe.probe(next(row for row in INTERFACES.values() if row.tracks))
    assert said in found.refused.why
    assert said in found.wrong


def test_a_survey_names_where_and_measures_all_the_same(monkeypatch):
    names = [name for name in TRACKING if not probe.probe(INTERFACES[name]).refused]
    if not names:
        pytest.skip("no interface works here")
    real = probe.probe

    def probed(row, layout=Layout(), pages=0):  # noqa: B008
        if row.name == names[0] and layout.kind == "shmem":
            return probe.Probed(wrong="reported none")
        return real(row, layout, pages)

    monkeypatch.setattr(probe, "probe", probed)
    points = [make_point("random", 64, 10), make_point("random", 64, 10, kind="shmem")]
    reasons, findings = probe.survey(("none", *names), points, "/dev/shm")
    assert findings == {f"{names[0]} on {points[1].elsewhere_name}": "reported none"}
    assert not set(reasons) & set(findings)


def test_pages_are_named_in_short():
    assert answers.pages([], 0) == "none"
    assert answers.pages([1, 4, 5], 3) == "1,4,5"
    assert answers.pages([0, 3, 4, 5, 9, 10, 11, 12], 20) == "0,3-5,9-12 and 12 more"


ALL, ONE = [(0, 8)], [(4, 5)]
DRAFT = next(row for row in INTERFACES.values() if row.draft)
SOFT = next(row for row in INTERFACES.values() if row.soft_dirty and not row.draft and row.name != LEGACY)


@pytest.mark.parametrize(
    ("interface", "said", "legacy", "own", "unaware"),
    [
        (DRAFT, [8, 8, 8], [ALL, ONE], [[], ONE], False),
        (DRAFT, [8, 8, 8], [ALL, ONE], [[], ALL], True),
        (DRAFT, [8, 8, 8], [ALL, ONE], [ALL, ONE], True),
        (DRAFT, [3, 3, 0], [ALL, ONE], [[], ONE], False),
        (SOFT, [8, 8, 8], [ALL], [], False),
        (SOFT, [8, 8, 8], [[]], [], False),
        (SOFT, [0, 0, 0], [[]], [], True),
    ],
)
def test_what_always_says_the_same_is_no_lie_but_no_such_thing(interface, said, legacy, own, unaware, monkeypatch):
    """Answers as kernels give them: soft-dirty bits that are not built in, and an ioctl that has but v6's number."""

    class Answering:
        def __init__(self, name, mapping):
            self.answers = legacy if name == LEGACY else own

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def reset(self):
            pass

        def collect(self):
            return self.answers.pop(0)

    legacy, own = list(legacy), list(own)
    monkeypatch.setattr(answers, "Tracker", Answering)
    assert answers.unaware(interface, [answers.Answer(count, 8, "") for count in said]) == unaware
