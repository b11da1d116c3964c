# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios on the running kernel: each ends in a way known of real kernels, and a broken interface is caught."""

import importlib
import os
import re
import sys
import types

import pytest

from bench.measure import play, stage
from bench.measure.memory import NotPossible
from bench.plan import catalogue, suites
from bench.plan.interfaces import ACCESSED, WRITTEN
from bench.plan.interfaces import INTERFACES as ROWS
from bench.plan.plan import Play
from bench.plan.records import Plays
from bench.store import verdicts
from tests.measure.conftest import TRACKING, why_not, working
from tests.measure.known import DIFFERENT, EXPECTED, columns, unexpected

PLAYS = 10


@pytest.fixture(params=[name for name, row in ROWS.items() if row.tracks and row.flushes and row.prop == WRITTEN])
def interface(request):
    """An interface that sees every write, by each of its paths through the kernel."""
    return working(request.param)


# Of those that miss what a TLB entry hides, all who report accesses: scenarios keep the TLB out of it.
PAIRS = [
    (row.name, name)
    for row in ROWS.values()
    for name in catalogue.scenarios(row.prop)
    if row.tracks and (row.flushes or row.prop != WRITTEN)
]


def played(name, interface, times=1):
    """What became of the scenario, as a report would say it, and the record."""
    record = play.perform(Play(name, interface, times), 0)
    return verdicts._cell(record), record


def test_every_entry_is_a_scenario_with_a_verdict_of_each_interface():
    assert set(EXPECTED) <= set(catalogue.scenarios())
    assert all(len(row.split()) == len(columns(name)) for name, row in EXPECTED.items())


@pytest.mark.parametrize("name", EXPECTED)
def test_a_verdict_that_is_neither_the_truth_nor_in_the_contract_is_explained(name):
    rows = [(ROWS[one], row) for one, row in zip(columns(name), EXPECTED[name].split(), strict=True)]
    rows += [(ROWS[path], row) for (other, path), row in DIFFERENT.items() if other == name]
    for interface, row in rows:
        if any(not re.fullmatch(r"exact|no|-\*|\(.*\)", text) for text in row.split("|")):
            assert catalogue.scenarios()[name].explained(interface), (name, interface.name, row)


def test_workloads_and_scenarios_are_told_apart():
    assert not set(catalogue.scenarios()) & set(catalogue.workloads())
    assert {"plain", "merge_brk"} <= set(catalogue.scenarios())
    assert {"random", "idle"} <= set(catalogue.workloads())


@pytest.mark.parametrize("name", catalogue.scenarios())
def test_a_scenario_says_what_happens_and_why(name):
    found = importlib.import_module(f"workloads.{name}")
    summary, blank, *rest = found.__doc__.strip().splitlines()
    assert summary.endswith(".")
    assert not blank
    assert rest
    assert found.play.__doc__
    whose = {*ROWS, "any", *(group for row in ROWS.values() for group in catalogue.groups(row))}
    assert set(getattr(found, "WHY", {})) <= whose, "whose verdict is it?"
    assert found.THEME in catalogue.THEMES


@pytest.mark.parametrize(("one", "name"), PAIRS)
def test_a_scenario_ends_as_expected(one, name):
    found, record = played(name, working(one).name)
    assert not unexpected(name, one, found), record


@pytest.mark.parametrize("harm", ["drop", "add", "shift", "repeat", "nothing"])
@pytest.mark.parametrize("name", ["plain", "fork_parent_writes"])
def test_a_broken_interface_is_caught(interface, monkeypatch, name, harm):
    """An interface that drops a range, adds a page, shifts one or says one twice."""

    class Broken(stage.Tracker):
        def collect(self):
            found = super().collect()
            first, end = found[-1]
            harmed = {
                "drop": [],
                "add": [(first, end + 1)],
                "shift": [(first + 1, end + 1)],
                "repeat": [(first, end), (first, end)],
                "nothing": [(first, end)],
            }
            return found[:-1] + harmed[harm]

    monkeypatch.setattr(stage, "Tracker", Broken)
    found, _ = played(name, interface.name, times=3)
    rounds = 2 if name == "plain" else 1
    extra, missed = {"drop": (0, 1), "add": (1, 0), "shift": (1, 1), "repeat": (1, 0), "nothing": (0, 0)}[harm]
    assert (found.extra, found.missed) == (rounds * extra, rounds * missed)
    assert found.broken == (harm != "nothing")
    assert (found.plays, found.unsteady) == (3, False)


@pytest.mark.parametrize("harm", ["drop", "add", "nothing"])
@pytest.mark.parametrize("name", [n for n, row in ROWS.items() if row.prop == ACCESSED and not row.samples])
def test_a_broken_report_of_accesses_is_caught(monkeypatch, name, harm):
    """By those that say which pages, and by those that say how many."""
    working(name)
    by, sums = {"drop": -1, "add": 1, "nothing": 0}[harm], not ROWS[name].addresses

    class Broken(stage.Tracker):
        def collect(self):
            found = super().collect()
            if not sums:
                return [*found[:-1], (found[-1][0], found[-1][1] + by)]
            self.struct.sum = int(self.struct.sum) + by
            return found

    monkeypatch.setattr(stage, "Tracker", Broken)
    found, record = played("accessed_write", name, times=2)
    assert (found.extra, found.missed) == (by > 0, by < 0), record
    assert found.broken == bool(by)


def test_what_samples_may_be_wrong_by_contract():
    name = next(name for name, row in ROWS.items() if row.samples)
    one = stage.Stage(ROWS[name])
    mapping = one.map(8, populate=False)
    one.accessed(mapping[2])
    one.judge(mapping, [(mapping[4].address, mapping[6].address)])
    assert one.verdict() == Plays(1, extra=2, missed=1, written=1)
    assert one.contract == [stage.SAMPLED]
    one.close()
    assert name not in suites.find("meaning-accessed").interfaces, "the next time it says something else"


def test_of_a_sum_the_contract_excuses_as_many_pages_as_it_names(monkeypatch):
    name = next(name for name, row in ROWS.items() if not row.addresses)
    working(name)

    def play(one):
        mapping = one.map(8)
        one.track(mapping)
        one.reset_afresh()
        one.read(mapping[2:6])
        one.unchanged(mapping[2:6])
        one.may_report(mapping[2], "one may be")
        one.collect()

    monkeypatch.setitem(sys.modules, "workloads.scripted", types.SimpleNamespace(play=play))
    _, record = played("scripted", name)
    assert record.runs == [Plays(1, extra=4, broken=3, surplus=3)]


def test_accesses_are_noted_for_those_who_report_them_and_move_along(monkeypatch):
    """Reads and writes, by the program or the kernel for it; what was read before the reset does not count."""
    name = working("mprotect-none").name

    def play(one):
        mapping, to = one.map(8), one.reserve(8)
        one.track(mapping)
        one.reset()
        one.read(mapping[1])
        one.reset()
        one.read(mapping[2])
        one.write(mapping[4])
        one.collect()
        assert one.verdict().written == 2
        one.moved(mapping, to)
        one.accessed(to[6])
        one.collect()

    monkeypatch.setitem(sys.modules, "workloads.scripted", types.SimpleNamespace(play=play))
    _, record = played("scripted", name)
    assert record.runs == [Plays(1, missed=1, broken=1, written=5)]


def test_a_report_beyond_the_mapping_is_extra_and_costs_no_time(monkeypatch):
    class Broken(stage.Tracker):
        def collect(self):
            return [*super().collect(), (8, 8 + 2**40)]

    able = next(name for name in TRACKING if not why_not(name))
    monkeypatch.setattr(stage, "Tracker", Broken)
    assert played("plain", able)[0].extra == 2 * 2**40


def scripted(monkeypatch, play, times=3):
    """Play a function instead of a file, with an interface that works here."""
    able = next(name for name in TRACKING if not why_not(name))

    monkeypatch.setitem(sys.modules, "workloads.scripted", types.SimpleNamespace(play=play))
    return played("scripted", able, times)


def test_a_play_that_dies_is_a_verdict(monkeypatch):
    found, record = scripted(monkeypatch, lambda stage: os.kill(os.getpid(), 9))
    assert found.why == "it was killed by SIGKILL"
    assert record.runs[-1].times == 1
    assert found.broken, "for KTAP that is no skip"


def test_a_play_that_hangs_is_a_verdict(monkeypatch):
    monkeypatch.setattr(play, "PLAY_SECONDS", 1)
    found, _ = scripted(monkeypatch, lambda stage: os.read(os.pipe()[0], 1))
    assert found.why.startswith("it did not end within 1 s")


def test_a_play_that_collects_nothing_is_no_verdict(monkeypatch, capfd):
    found, _ = scripted(monkeypatch, lambda stage: stage.track(stage.map(8)))
    assert found.kind == "failed"
    assert "the scenario collected nothing" in capfd.readouterr().err


def test_verdicts_that_differ_are_kept_and_counted(monkeypatch):
    plays = iter([0, 1, 1])

    def play(stage):
        mapping = stage.map(8)
        stage.track(mapping)
        stage.reset()
        stage.write(mapping[2])
        if next(plays):
            stage.unchanged(mapping[2])
        stage.collect()

    found, record = scripted(monkeypatch, play)
    assert [run.times for run in record.runs] == [1, 2]
    assert (found.kind, found.extra, found.like, found.plays, found.text()) == ("extra", 1, 2, 3, "+1~")


def test_the_contract_excuses_what_it_names_and_nothing_else(monkeypatch):
    def play(stage):
        mapping = stage.map(8)
        stage.track(mapping)
        stage.reset()
        stage.write(mapping[2:4])
        stage.unchanged(mapping[2:4])
        stage.changed(mapping[6:8])
        stage.may_report(mapping[2], "extra is fine here")
        stage.may_miss(mapping[6], "missing is fine here")
        stage.collect()

    found, record = scripted(monkeypatch, play)
    assert (found.extra, found.missed) == (2, 2)
    assert record.runs == [Plays(3, extra=2, missed=2, broken=2, written=2, surplus=1)]
    assert record.contract == "extra is fine here; missing is fine here"


@pytest.mark.parametrize(("written", "broken"), [(False, 0), (True, 1)])
def test_content_that_goes_away_may_be_missed_until_it_is_written(monkeypatch, written, broken):
    def play(stage):
        mapping = stage.map(8)
        stage.track(mapping)
        stage.reset()
        stage.dropped(mapping[2:4])
        if written:
            stage.changed(mapping[2])
        stage.collect()

    found, record = scripted(monkeypatch, play)
    assert record.runs == [Plays(3, missed=2, broken=broken, written=2)]
    assert record.contract == stage.DROPPED
    assert found.outcome == (verdicts.BROKEN if broken else verdicts.DOCUMENTED)


@pytest.mark.parametrize("name", TRACKING)
def test_a_contract_is_for_whom_the_kernel_documents_it(name):
    """Marked areas and huge bits are soft-dirty's; a handler's protection ends with a mapping; a scan refuses."""
    played = stage.Stage(ROWS[name])
    mapping = played.map(8)
    played.one_bit(mapping)
    played.expanded(mapping)
    assert played.contract == [stage.ONE_BIT, stage.EXPANDED] * ROWS[name].soft_dirty
    played.unmapped(mapping)
    bits = ROWS[name].soft_dirty or ROWS[name].wp_async or (ROWS[name].kernel_writes and not ROWS[name].uffd)
    assert (stage.UNMAPPED in played.contract) == (not bits), "bits of the page table move along; a scan refuses"
    played.filled(mapping)
    assert (stage.FILLED in played.contract) == (name == "rwp-sync"), "others see that a page came, or protect holes"
    played.close()


def test_what_is_not_possible_stops_at_once(monkeypatch):
    def play(stage):
        raise NotPossible("there is no moon", "wait")

    found, record = scripted(monkeypatch, play)
    assert record.runs == [Plays(1, why="there is no moon", remedy="wait")]
    assert found.text() == "no"


def test_a_page_costs_time_to_copy():
    assert 1 < play.copy_cost() < 1e6


def test_nothing_stays_behind():
    """Memory, descriptors and children of plays are gone: what stayed would grow with each of them."""

    def held():
        with open("/proc/self/maps") as maps:
            return sum(1 for _ in maps), len(os.listdir("/proc/self/fd"))

    mprotect = working("mprotect")
    for name in (
        "accessed_fork_gone",
        "accessed_vmsplice",
        "dontunmap_new",
        "fork_parent_writes",
        "fork_thp_parent",
        "guard_beside",
        "mlock_present",
        "mremap_ptes",
        "mremap_shrink_grow",
        "pin_after_reset",
        "plain",
        "shmem_other_mapping",
        "shmem_punch_write",
        "thp_part_dropped",
    ):
        play.play(name, mprotect)
        before = held()
        for _ in range(PLAYS):
            play.play(name, mprotect)
        # the C library maps and unmaps for itself: a map more or less is no leak of every play
        assert all(now - then < PLAYS for now, then in zip(held(), before, strict=True)), name
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
