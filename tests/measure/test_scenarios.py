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
from bench.plan import catalogue
from bench.plan.plan import Play
from bench.plan.records import Plays
from bench.store import verdicts
from tests.measure.conftest import TRACKING, why_not, working

INTERFACES = ("clear_refs", "scan-softdirty", "scan-wp", "uffd-sync", "mprotect")
PLAYS = 10
# Why a scenario may not be possible.
REASONS = (
    "no swap|no hugetlb pages|no transparent huge page|one CPU only|no collect met a write|was not seen to write|"
    "no file system for files|refuses the file|can't write-protect this kind|into the tracked memory fails|"
    "PAGEMAP_SCAN says EPERM|WRITEPROTECT says ENOENT|no smaller unit|MADV_COLLAPSE|no userfaultfd to close|"
    "no PM_SCAN_CHECK_WPASYNC|collect and reset in one step|io_uring"
)
# What each of them may make of a scenario, as in tables; | where kernels or machines differ. `no` needs its reason.
EXPECTED = {
    "dontneed_read": "(-2) (-2) exact (-2) (-2)",
    "dontneed_write": "(-1) (-1) exact -2 (-1)",
    "file_mapped_write": "exact|no exact|no exact|no no exact|no",
    "file_other_mapping": "(-1)|no (-1)|no (-1)|no no (-1)|no",
    "file_write_call": "(-1)|no (-1)|no (-1)|no no (-1)|no",
    "fork_child_writes": "exact exact exact exact exact",
    "fork_parent_writes": "exact exact exact exact exact",
    "fork_then_reset": "exact exact exact exact exact",
    "fresh_untouched": "(+8) (+8) (+8)|exact exact exact",
    "fresh_written": "(+7) (+7) (+7) (-1) (-1)",
    "guards_mmap": "exact exact exact exact exact",
    "holes_pages": "exact exact exact exact|-1 exact",
    "holes_tables": "exact exact exact|+511 exact|-1 exact",
    "hugetlb": "-512|no +512|no exact|no exact|no exact|no",
    "kernel_o_direct": "exact|no exact|no exact|no no no",
    "kernel_pinned": "+1|no +1|no -1|no -1|no -1|no",
    "kernel_proc_mem": "exact exact exact no -1|no",
    "kernel_read": "exact exact exact no no",
    "kernel_readv": "exact exact exact no no",
    "kernel_vm_writev": "exact exact exact no no",
    "merge_brk": "+7 +7 exact exact exact",
    "merge_mmap_after": "+7 +7 exact exact exact",
    "merge_mmap_before": "+7 +7 exact exact exact",
    "merge_mprotect_fresh": "+7 +7 exact exact exact",
    "merge_mprotect_tracked": "exact|+7 exact|+7 exact exact exact",
    "merge_renewed": "+8 +8 no -8 -8",
    "merge_renewed_last": "-7|+8 -7|+8 no -8 -8",
    "mprotect_round": "exact exact exact exact -1",
    "mprotect_stale_pte": "exact exact no -1 -2",
    "mremap_ptes": "exact exact no -8 -8",
    "mremap_tables": "-512 -512 no -512 -512",
    "mremap_thp": "exact|no exact|no no -512|no -512|no",
    "partial_reset": "no no exact no no",
    "partial_reset_merge": "no no exact no no",
    "plain": "exact exact exact exact exact",
    "reused_range": "+4 +4 no -4 -4",
    "shmem_mapped_write": "exact exact exact exact exact",
    "shmem_other_mapping": "(-1) (-1) (-1) (-1) (-1)",
    "shmem_write_call": "(-1) (-1) (-1) (-1) (-1)",
    "stale_tlb": "exact exact exact exact exact",
    "stale_tlb_other_cpu": "exact|no exact|no exact|no exact|no exact|no",
    "swapped": "exact|no exact|no exact|no exact|no exact|no",
    "swapped_dirty": "exact|no exact|no exact|no exact|no exact|no",
    "thp_byte": "+511|no +511|no exact|no exact|no exact|no",
    "thp_collapse": "+511|no +511|no no no no",
    "thp_split": "exact|+511|no +511|no exact|no exact|no exact|no",
    "uffd_closed": "no no no -1 no",
    "uffd_remapped": "exact exact no -8 (-7)",
    "unregistered": "no no +8|exact no no",
    "writers_atomic": "no no exact no no",
    "writers_separate": "exact|-* exact|-* exact|-* exact|-* exact|-*",
    "zero_page_read": "exact exact exact|+7 exact|-1 exact",
}


def played(name, interface, times=1):
    """What became of the scenario, as a report would say it, and the record."""
    record = play.perform(Play(name, interface, times), 0)
    return verdicts._cell(record), record


def test_every_entry_is_a_scenario_with_a_verdict_of_each_interface():
    assert set(EXPECTED) <= set(catalogue.scenarios())
    assert all(len(row.split()) == len(INTERFACES) for row in EXPECTED.values())


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


@pytest.mark.parametrize("name", catalogue.scenarios())
def test_a_scenario_ends_as_expected(interface, name):
    found, record = played(name, interface.name)
    assert found.kind != verdicts.FAILED, record
    if interface.name not in INTERFACES or name not in EXPECTED:
        return  # EXPECTED knows nothing of it: that it ends is all
    allowed = EXPECTED[name].split()[INTERFACES.index(interface.name)].split("|")
    text = found.text().rstrip("~")
    if "-*" in allowed and found.missed and not found.broken:
        return  # a race that the contract lets lose
    assert text in allowed, record
    assert text != "no" or re.search(REASONS, found.why), "not possible, but for a reason that nobody has thought of"
    assert (found.kind == verdicts.NOT_POSSIBLE) == bool(found.why)


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
    assert found.kind == verdicts.FAILED
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
    assert record.runs == [Plays(3, extra=2, missed=2, broken=2, written=2)]
    assert record.contract == "extra is fine here; missing is fine here"


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
    for name in ("fork_parent_writes", "mremap_ptes", "shmem_other_mapping", "plain"):
        play.play(name, mprotect)
        before = held()
        for _ in range(PLAYS):
            play.play(name, mprotect)
        # the C library maps and unmaps for itself: a map more or less is no leak of every play
        assert all(now - then < PLAYS for now, then in zip(held(), before, strict=True)), name
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
