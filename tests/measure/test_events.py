# SPDX-License-Identifier: GPL-2.0-only
"""Events and samples of phases: page faults are known to the page, and a scan's samples are of the scan."""

import errno
import os
import re

import pytest

from bench.measure import events
from bench.measure.core import Mapping, Pattern, Tracker, Writers, lib
from bench.measure.events import KERNEL, SAMPLES, USER, WATCHES, Events
from bench.plan import grids, records
from bench.plan.kinds import Layout
from bench.plan.plan import Plan, Timing
from tests.measure.conftest import order
from tests.measure.test_worker import serve

POINT = grids.make_point("random", 2000, 10)
DIRTY = 200
FAULTS = {USER: "page-faults:u", KERNEL: "page-faults:k"}


def counted(interface, watch, *, atomic=False, writers=0, layout=None, count=5):
    """Counters of intervals of POINT, one warmup among them."""
    pattern = Pattern(order(POINT, 3), POINT.watched)
    with (
        Events(watch) as found,
        Mapping(POINT.pages, layout or Layout()) as mapping,
        Tracker(interface.name, mapping) as tracker,
    ):
        team = Writers(mapping, pattern, writers, shared=False, cpus=sorted(os.sched_getaffinity(0)))
        with team:
            found.run(tracker, pattern, count, atomic=atomic, writers=team if writers else None, warmups=1)
        phases = ("dirty", "collect_reset") if atomic else ("reset", "dirty", "collect")
        return found.counters(phases, count - 1)


def test_the_first_write_to_each_page_faults_once_in_user_space_and_nothing_else_does(scan_wp):
    for atomic in (False, True):
        faults = {phase: some[FAULTS[USER]] for phase, some in counted(scan_wp, USER, atomic=atomic).items()}
        assert faults.pop("dirty") == [DIRTY]
        assert set(faults) == ({"collect_reset"} if atomic else {"reset", "collect"})
        assert all(value == [0] for value in faults.values())
        assert counted(scan_wp, KERNEL, atomic=atomic)["dirty"][FAULTS[KERNEL]] == [0]


@pytest.mark.parametrize("who", [{"writers": 3}, {"layout": Layout(outside=-1)}])
def test_the_faults_of_other_threads_and_processes_count_too(scan_wp, who):
    assert counted(scan_wp, USER, **who)["dirty"][FAULTS[USER]] == [DIRTY]


def test_hardware_counts_more_the_more_is_done(scan_wp):
    with Events(USER) as found:
        if "instructions:u" not in found.names:
            assert found.missing["instructions:u"] in (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV)
            return
    phases = counted(scan_wp, USER)
    assert DIRTY < phases["dirty"]["instructions:u"][0] < 100 * DIRTY
    assert phases["reset"]["instructions:u"][0] < phases["dirty"]["instructions:u"][0]


def test_samples_of_a_scan_are_of_the_scan(scan_wp):
    pattern = Pattern(order(grids.make_point("random", 20_000, 10), 3), 20_000)
    with Events(SAMPLES) as found, Mapping(20_000) as mapping, Tracker(scan_wp.name, mapping) as tracker:
        found.run(tracker, pattern, 60, atomic=False, writers=None, warmups=1)
        samples = found.samples()
    [named] = events.named([samples])
    assert set(named) == {"reset", "dirty", "collect"}
    for phase, expected in {"collect": "pagemap_scan", "reset": "pagemap_scan", "dirty": "fault"}.items():
        assert sum(named[phase].values()) == sum(samples[phase].values())
        assert any(expected in function for function in list(named[phase])[:5]), named[phase]
    assert not any("pagemap_scan" in function for function in named["dirty"])
    assert not any("perf_" in function for function in named["collect"]), "the sampler sees itself"


def test_warmups_are_in_no_count_and_no_sample(scan_wp):
    pattern = Pattern(order(POINT, 3), POINT.watched)
    for watch in WATCHES:
        with Events(watch) as found, Mapping(POINT.pages) as mapping, Tracker(scan_wp.name, mapping) as tracker:
            found.run(tracker, pattern, 4, atomic=False, writers=None, warmups=4)
            assert found.samples() == {}
            assert {value for some in found.counters(["dirty"], 1).values() for [value] in some.values()} <= {0}


def test_addresses_get_the_function_they_are_in_and_the_rest_is_kept_together(monkeypatch):
    with open("/proc/kallsyms") as file:
        known = re.findall(r"^(f[0-9a-f]{15}) [tT] (do_exit|do_exit\.cold|do_group_exit)$", file.read(), re.MULTILINE)
    if not known:
        assert events.named([{"dirty": {"f" * 16: 1}}]) == [{}]
        return
    first, *others = [(f"{int(address, 16) + 1:016x}", name) for address, name in known]
    samples = {"dirty": {first[0]: 2} | {address: 1 for address, _ in others}}
    assert events.named([samples, {}]) == [{"dirty": {first[1]: 2} | {name: 1 for _, name in others}}, {}]
    monkeypatch.setattr(events, "_MOST_FUNCTIONS", 1)
    [named] = events.named([samples])
    assert named == {"dirty": {first[1]: 2} | ({records.OTHERS: len(others)} if others else {})}


@pytest.fixture
def real(monkeypatch):
    """A machine that is not emulated."""
    monkeypatch.setattr(events, "hypervisor", lambda: "")


@pytest.mark.parametrize("share", [3, 22])
def test_each_thing_is_watched_once_a_boot(share, real):
    turns = [events.turn(process, share) for process in range(2 * share)]
    assert turns[:share] == turns[share:] == [*WATCHES, *[""] * (share - len(WATCHES))]


def test_boots_of_few_processes_share_what_is_watched(real):
    assert [events.turn(process, 1) for process in range(6)] == [*WATCHES, *WATCHES]


def test_an_emulated_machine_is_not_sampled(monkeypatch):
    monkeypatch.setattr(events, "hypervisor", lambda: "TCGTCGTCGTCG")
    assert [events.turn(process, 3) for process in range(3)] == [USER, KERNEL, ""]
    assert re.match("none: .+ emulated", events.facts()["sampling"])


def test_samples_take_as_many_intervals_as_they_need():
    assert events.loops(USER, 3, 1000, first=0) == 3
    assert 3 < events.loops(SAMPLES, 3, 1e6, first=0) < 100 < events.loops(SAMPLES, 3, 1e3, first=0)
    assert events.loops(SAMPLES, 3, 1e9, first=0) == 3
    assert events.loops(SAMPLES, 1, 1e3, first=1) == 1


def test_every_event_can_be_had_or_is_missing_with_a_reason():
    facts = events.facts()
    had = set(facts["events"].split()) - {"none"}
    lacking = {word for part in facts.get("events_missing", "").split("; ") for word in part.split(": ")[0].split()}
    assert not had & lacking
    assert {name for name in had | lacking if name} >= {*FAULTS.values(), "instructions:u", "cycles:k"}
    assert len(had | lacking) % 2 == 0
    if lacking:
        assert re.search(r": .+ \(E[A-Z]+\)", facts["events_missing"])
    assert re.match(r"every \d+|none: .", facts["sampling"])


@pytest.mark.parametrize(("number", "said"), [(errno.EACCES, "perf_event_paranoid"), (errno.ENOSYS, "PERF_EVENTS")])
def test_what_forbids_events_is_said(monkeypatch, number, said):
    def refuse(struct, kernel):
        lib.events_open(struct, kernel)
        for i in range(len(struct.errors)):
            struct.errors[i] = number

    class Refusing:
        events_open = staticmethod(refuse)

        def __getattr__(self, name):
            return getattr(lib, name)

    monkeypatch.setattr(events, "lib", Refusing())
    facts = events.facts()
    assert facts["events"] == "none"
    assert said in facts["events_missing"]
    assert errno.errorcode[number] in facts["events_missing"]


def measured(point, scan_wp, process, **options):
    plan = Plan("own", "", "", (scan_wp.name,), points=(point,), seed=5, processes=3, **options)
    return serve(plan, Timing(point, process))[1]


def test_a_worker_has_them_beside_the_time(scan_wp):
    user, kernel, sampled = (measured(POINT, scan_wp, process) for process in range(3))
    for record in (user, kernel, sampled):
        assert "events_trouble" not in record.facts
        assert {one.intervals for one in record.series} == {1 + POINT.loops}, "rounds not timed are no intervals"
    for one in user.series:
        assert one.counters["dirty"][FAULTS[USER]] == [DIRTY]
        assert set(one.counters) == set(one.values)
    assert all(one.counters["dirty"][FAULTS[KERNEL]] == [0] for one in kernel.series)
    for one in sampled.series if events.turn(2, 3) else []:
        assert not one.counters
        assert set(one.samples) <= set(one.values)
        assert sum(one.samples["dirty"].values()) > 0


def test_where_instructions_are_counted_or_phases_overlap_there_are_none(scan_wp):
    for record in (
        measured(POINT, scan_wp, 0, counted=True),
        measured(grids.make_point("random", 2000, 10, writers=2, concurrent=1), scan_wp, 0),
    ):
        assert [(one.counters, one.samples) for one in record.series] == [({}, {})] * len(record.series)


def test_addresses_that_are_hidden_name_no_function(monkeypatch, tmp_path):
    """As /proc/kallsyms is for who may not see them: all of them zero."""
    hidden = tmp_path / "kallsyms"
    hidden.write_text(f"{'0' * 16} T startup_64\n{'0' * 16} t do_one_initcall\n")
    monkeypatch.setattr(events, "open", lambda _, *how: hidden.open(*how), raising=False)
    monkeypatch.setattr(events, "_emulated", lambda: False)
    assert events.named([{"dirty": {"ffffffff81000010": 3}}, {}]) == [{}, {}]
    assert events._sampling().startswith("none: kernel.kptr_restrict hides")
    hidden.write_text(f"{'f' * 8}81000000 T startup_64\n{'f' * 8}81000010 t do_one_initcall\n")
    assert events.named([{"dirty": {"ffffffff81000018": 3, "ffffffff81000004": 4}}]) == [
        {"dirty": {"startup_64": 4, "do_one_initcall": 3}}
    ]


def test_sampling_that_is_refused_says_why(monkeypatch):
    def refused(_):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), "perf_event_open")

    monkeypatch.setattr(events, "Events", refused)
    monkeypatch.setattr(events, "named", lambda some: some)
    monkeypatch.setattr(events, "_emulated", lambda: False)
    assert events._sampling().startswith("none: ")
    assert "(EACCES)" in events._sampling()
