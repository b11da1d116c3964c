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
from bench.plan.interfaces import INTERFACES as ROWS
from bench.plan.plan import Play
from bench.plan.records import BREAKS, Plays
from bench.store import verdicts
from tests.measure.conftest import TRACKING, why_not, working

INTERFACES = ("clear_refs", "scan-softdirty", "scan-wp", "uffd-sync", "mprotect")
PLAYS = 10
# Why a scenario may not be possible.
REASONS = (
    "no swap|no hugetlb pages|no transparent huge page|one CPU only|no collect met a write|was not seen to write|"
    "no file system for files|refuses the file|can't write-protect this kind|into the tracked memory fails|"
    "PAGEMAP_SCAN says EPERM|WRITEPROTECT says ENOENT|no smaller unit|MADV_COLLAPSE|no userfaultfd to close|"
    "no PM_SCAN_CHECK_WPASYNC|collect and reset in one step|io_uring|the question is one to PAGEMAP_SCAN|"
    "one NUMA node only|/enabled is never|ksm/run is|scan_sleep_millisecs is|no multi-size huge pages|"
    "no UFFDIO_MOVE|mseal fails|memfd_secret fails|the memory is sealed|is not permitted|frame numbers are hidden|"
    "NUMA balancing did not move|"
    "no PAGEMAP_SCAN to reset|protects nothing|MADV_GUARD_INSTALL|fallocate fails|did not take the freed pages"
)
# What each of them may make of a scenario, as in tables; | where kernels or machines differ. `no` needs its reason.
EXPECTED = {
    "asks_bit57": "no no exact no no",
    "asks_chunks": "no no exact no no",
    "asks_predump": "exact|no exact|no no no no",
    "asks_private_copy": "no no exact no no",
    "asks_sandbox": "no no exact no no",
    "asks_sandbox_general": "no no exact|-2 no no",
    "asks_slot_reset": "no no exact|(-3) no no",
    "asks_slot_reset_image": "no no exact|(-3) no no",
    "asks_slot_reset_ranges": "no no exact no no",
    "asks_slot_swapped": "no no (-2)|(-3)|no no no",
    "asks_write_watch": "no no exact no no",
    "asks_write_watch_look": "no no exact no no",
    "asks_write_watch_many": "no no exact no no",
    "dontneed_after_write": "(-2) (-2) exact exact exact",
    "dontneed_all": "(-511) (-511) exact -512 (-511)",
    "dontneed_read": "(-2) (-2) exact (-2) (-2)",
    "dontneed_reset_write": "exact exact exact exact|-1 exact",
    "dontneed_write": "(-1) (-1) exact -2 (-1)",
    "dontunmap_new": "exact exact no (-8) (-8)",
    "dontunmap_old": "(-7) (-7) exact -8 (-7)",
    "edge_efault": "no no (-3) no no",
    "edge_efault_late": "no no (-700) no no",
    "edge_empty_range": "no no exact no no",
    "edge_end_misaligned": "no no exact no no",
    "edge_eperm_late": "no no (-2) no no",
    "edge_hugetlb_part": "no no -512|no no no",
    "edge_many_ranges": "no no +188 no no",
    "edge_many_ranges_reset": "no no exact no no",
    "edge_max_pages": "no no exact no no",
    "edge_max_pages_reset": "no no exact no no",
    "edge_no_return_mask": "no no exact no no",
    "edge_reset_masks": "no no -2 no no",
    "edge_reset_masks_vec": "no no exact no no",
    "edge_unchecked_reset": "no no (+7)|(-1) no no",
    "edge_vec_exact": "no no exact no no",
    "edge_vec_one": "no no exact no no",
    "edge_vec_tracked": "no no exact no no",
    "file_mapped_write": "exact|no exact|no exact|no no exact|no",
    "file_other_mapping": "(-1)|no (-1)|no (-1)|no no (-1)|no",
    "file_punch": "(-1)|+6|no (-1)|+6|no (-1)|no no (-1)|no",
    "file_truncate": "(-3)|+4|no (-3)|+4|no (-3)|no no (-3)|no",
    "file_untouched_write": "exact|+7|no exact|+7|no exact|+7|no no exact|no",
    "file_write_call": "(-1)|no (-1)|no (-1)|no no (-1)|no",
    "folio_16k_byte": "exact|no exact|no exact|no exact|no exact|no",
    "folio_1m_byte": "exact|no exact|no exact|no exact|no exact|no",
    "folio_4k_byte": "exact exact exact exact exact",
    "folio_4k_fork": "exact exact exact exact exact",
    "folio_4k_migrated": "exact|+15|no exact|no exact|no exact|no exact|no",
    "folio_4k_mprotect": "exact exact exact exact -1",
    "folio_4k_part": "no no exact no no",
    "folio_4k_swap": "exact|no exact|no exact|no exact|no exact|no",
    "folio_64k_byte": "exact|no exact|no exact|no exact|no exact|no",
    "folio_64k_fork": "exact|no exact|no exact|no exact|no exact|no",
    "folio_64k_migrated": "exact|no exact|no exact|no exact|no exact|no",
    "folio_64k_mprotect": "exact|+15|no exact|+15|no exact|no exact|no -1|no",
    "folio_64k_part": "no no exact|no no no",
    "folio_64k_swap": "exact|no exact|no exact|no exact|no exact|no",
    "fork_child_gone": "exact exact exact exact exact",
    "fork_child_writes": "exact exact exact exact exact",
    "fork_hugetlb": "-512|no +512|no exact|no exact|no exact|no",
    "fork_parent_writes": "exact exact exact exact exact",
    "fork_shared_child": "(-1) (-1) (-1) (-1) (-1)",
    "fork_then_reset": "exact exact exact exact exact",
    "fork_thp_child": "exact|no exact|no exact|no exact|no exact|no",
    "fork_thp_parent": "exact|+511|no +511|no exact|no exact|no exact|no",
    "fork_thp_reset": "exact|+511|no +511|no exact|no exact|no exact|no",
    "free_kept": "exact exact exact exact exact",
    "free_taken": "(-3) (-3) exact -4 (-3)",
    "free_write": "exact exact exact exact exact",
    "fresh_untouched": "(+8) (+8) (+8)|exact exact exact",
    "fresh_written": "(+7) (+7) (+7) (-1) (-1)",
    "guard_beside": "exact|no exact|no exact|no exact|no exact|no",
    "guard_come_and_go": "(-1)|no (-1)|no exact|no -2|no (-1)|no",
    "guard_reset_gone": "exact|no exact|no (+1)|no -1|no exact|no",
    "guards_mmap": "exact exact exact exact exact",
    "holes_pages": "exact exact exact exact|-1 exact",
    "holes_protect_all": "no no exact no no",
    "holes_tables": "exact exact exact|+511 exact|-1 exact",
    "hugetlb": "-512|no +512|no exact|no exact|no exact|no",
    "hugetlb_dontneed": "-512|no +512|no exact|no exact|no exact|no",
    "hugetlb_dropped": "(-512)|no +512-512|no (-512)|no (-512)|no (-512)|no",
    "hugetlb_part_reset": "no no no no no",
    "hugetlb_protect_all": "no no exact|no no no",
    "hugetlb_punch": "-512|no +512|no exact|no exact|no exact|no",
    "hugetlb_shared": "-512|no +512|no exact|no exact|no exact|no",
    "hugetlb_shared_untouched": "-512|no exact|no exact|no exact|no exact|no",
    "hugetlb_untouched": "-512|no exact|no exact|no exact|no exact|no",
    "kernel_o_direct": "exact|no exact|no exact|no breaks|no breaks|no",
    "kernel_pinned": "+1|no +1|no -1|no -1|no -1|no",
    "kernel_proc_mem": "exact exact exact breaks -1|breaks",
    "kernel_read": "exact exact exact breaks breaks",
    "kernel_readv": "exact exact exact breaks breaks",
    "kernel_vm_writev": "exact exact exact breaks breaks",
    "khugepaged": "+511|no +511|no exact|no exact|no exact|no",
    "ksm_broken": "exact|no exact|no exact|no exact|no exact|no",
    "ksm_merged": "exact|no exact|no +7|no exact|no exact|no",
    "ksm_merged_rewritten": "exact|no exact|no +6|no -1|no exact|no",
    "ksm_unmerged": "exact|+8|no exact|no exact|no exact|no exact|no",
    "ksm_written_merged": "-7|no -7|no exact|no exact|no exact|no",
    "merge_brk": "(+7) (+7) exact exact exact",
    "merge_mmap_after": "(+7) (+7) exact exact exact",
    "merge_mmap_before": "(+7) (+7) exact exact exact",
    "merge_mprotect_fresh": "(+7) (+7) exact exact exact",
    "merge_mprotect_tracked": "exact|(+7) exact|(+7) exact exact exact",
    "merge_renewed": "(+8) (+8) no (-8) (-8)",
    "merge_renewed_last": "(+8)|-7 (+8)|-7 no (-8) (-8)",
    "migrated": "exact|+7|no exact|no exact|no exact|no exact|no",
    "migrated_huge": "+512|no +512|no exact|no exact|no exact|no",
    "migrated_shared": "exact|+6|no exact|no exact|no exact|no exact|no",
    "migrated_written": "exact|+7|no exact|no exact|no exact|no exact|no",
    "mlock_present": "+7 +7 +7 breaks exact",
    "mlock_shared": "exact exact exact exact exact",
    "mlock_untouched": "+7 +7 +7 -1|breaks exact",
    "mprotect_none_round": "exact exact exact exact -1",
    "mprotect_round": "exact exact exact exact -1",
    "mprotect_stale_pte": "exact exact no (-1) -2",
    "mremap_ptes": "exact exact no (-8) (-8)",
    "mremap_shrink_grow": "-7 -7 exact (-8) breaks",
    "mremap_tables": "-512 -512 no (-512) (-512)",
    "mremap_thp": "exact|no exact|no no (-512)|no (-512)|no",
    "numa_balanced": "exact|+7|no exact|no exact|no exact|no exact|no",
    "outside_ptrace": "exact|no exact|no exact|no breaks|no -1|no",
    "outside_vm_writev": "exact|no exact|no exact|no breaks|no breaks|no",
    "partial_reset": "no no exact no no",
    "partial_reset_merge": "no no exact no no",
    "pin_after_reset": "(+1) (+1) (+1) breaks breaks",
    "plain": "exact exact exact exact exact",
    "populate_read": "exact exact exact exact|-1 exact",
    "populate_write": "(+2) (+2) (+2) breaks breaks",
    "populate_write_untouched": "(+2) (+2) (+2)|+8 exact|breaks breaks",
    "private_file_dontneed": "(-2) (-2) (-1) (-1) (-1)",
    "private_file_punch": "(-1) (-1) (-1) (-1) (-1)",
    "private_file_truncate": "(-3) (-3) (-2) (-2) (-2)",
    "reused_range": "(+4) (+4) no (-4) (-4)",
    "sealed": "exact|no exact|no exact|no exact|no no",
    "secret": "exact|no exact|no exact|no no exact|no",
    "shmem_dontneed_read": "exact exact exact exact exact",
    "shmem_dontneed_write": "exact exact exact exact exact",
    "shmem_mapped_write": "exact exact exact exact exact",
    "shmem_other_mapping": "(-1) (-1) (-1) (-1) (-1)",
    "shmem_punch_write": "(-1) (-1) (-1) (-1) (-1)",
    "shmem_remove_read": "(-2) (-2) (-2) (-2) (-2)",
    "shmem_truncate": "(-3) (-3) (-3) (-3) (-3)",
    "shmem_write_call": "(-1) (-1) (-1) (-1) (-1)",
    "shmem_written_dontneed": "-1 -1 exact exact exact",
    "shmem_written_punch": "(-2) (-2) exact exact exact",
    "stale_tlb": "exact exact exact exact exact",
    "stale_tlb_other_cpu": "exact|no exact|no exact|no exact|no exact|no",
    "swapped": "exact|no exact|no exact|no exact|no exact|no",
    "swapped_dirty": "exact|no exact|no exact|no exact|no exact|no",
    "swapped_shared": "exact|no exact|no exact|no exact|no exact|no",
    "swapped_shared_dirty": "-1|no -1|no exact|no exact|no exact|no",
    "thp_byte": "(+511)|no (+511)|no exact|no exact|no exact|no",
    "thp_collapse": "(+511)|no (+511)|no exact|no exact|no exact|no",
    "thp_dropped": "exact|no exact|no exact|no -512|no (-511)|no",
    "thp_part_dropped": "(-16)|+495-16|no +495-16|no exact|no (-16)|no (-16)|no",
    "thp_part_dropped_write": "(-15)|+496-15|no +496-15|no exact|no -16|no (-15)|no",
    "thp_part_reset": "no no exact|no no no",
    "thp_part_reset_clean": "no no exact|no no no",
    "thp_part_unmapped": "exact|+510|no +510|no exact|no exact|no -1|no",
    "thp_ptes_byte": "exact|no exact|no exact|no exact|no exact|no",
    "thp_ptes_collapse": "+511|no +511|no exact|no exact|no exact|no",
    "thp_ptes_fork": "exact|no exact|no exact|no exact|no exact|no",
    "thp_split": "exact|+511|no +511|no exact|no exact|no exact|no",
    "thp_unpopulated": "(+511) (+511) exact|+511 exact|-1 exact",
    "thp_zero_page": "exact|(+511) exact|(+511) exact exact exact",
    "uffd_closed": "no no no -1 no",
    "uffd_copy": "exact exact exact -2 -2",
    "uffd_copy_protected": "exact exact exact exact -1",
    "uffd_move_in": "exact|no exact|no breaks|no breaks|no breaks|no",
    "uffd_move_out": "(-2)|no (-2)|no exact|no (-2)|no breaks|no",
    "uffd_remapped": "exact exact no (-8) (-7)",
    "uffd_zeropage": "exact exact breaks breaks|exact exact",
    "unregistered": "no no +8|exact no no",
    "writers_atomic": "no no exact no no",
    "writers_separate": "exact|-* exact|-* exact|-* exact|-* exact|-*",
    "zero_huge_read": "exact|+511|no exact|+511|no exact|no exact|no exact|no",
    "zero_page_read": "exact exact exact|+7 exact|-1 exact",
}
# Where both general paths of the kernel's scan may make something else of it than the fast one: up to 6.18.15 they
# pass over empty entries. And where one of them does.
GENERAL = {
    "dontneed_after_write": "exact|(-2)",
    "dontneed_all": "exact|(-511)",
    "dontunmap_old": "exact|(-7)",
    "free_taken": "exact|(-3)",
    "guard_come_and_go": "exact|(-1)|no",
    "guard_reset_gone": "exact|(+1)|no",
    "hugetlb_part_reset": "exact|no",
    "mremap_shrink_grow": "exact|-7",
    "populate_read": "exact|+7",
    "private_file_truncate": "(-2)|(-3)",
    "shmem_written_punch": "exact|(-2)",
    "thp_part_dropped": "exact|(-16)",
    "thp_part_dropped_write": "exact|(-15)",
}
DIFFERENT = {(name, path): row for name, row in GENERAL.items() for path in ("scan-wp-general", "scan-wp-inverted")}
DIFFERENT["writers_atomic", "scan-wp-inverted"] = "no"


@pytest.fixture(params=[name for name, row in ROWS.items() if row.tracks and row.flushes])
def interface(request):
    """An interface that sees every write, by each of its paths through the kernel."""
    return working(request.param)


def played(name, interface, times=1):
    """What became of the scenario, as a report would say it, and the record."""
    record = play.perform(Play(name, interface, times), 0)
    return verdicts._cell(record), record


def unexpected(name, interface, found):
    """How a verdict is none that is known of real kernels; empty where it is one, or nothing is known of it."""
    if found.ended and found.kind != BREAKS:
        return found.kind
    like = ROWS[interface].path_of or interface
    if like not in INTERFACES or name not in EXPECTED:
        return ""
    row = EXPECTED[name].split()[INTERFACES.index(like)]
    allowed = DIFFERENT.get((name, interface), row).split("|")
    text = "no" if found.kind == verdicts.NOT_POSSIBLE else found.text().rstrip("~")
    if "-*" in allowed and found.missed and not found.broken:
        return ""  # a race that the contract lets lose
    if text not in allowed:
        return f"{text}, not one of {allowed}: {found.why}"
    if text == "no" and not re.search(REASONS, found.why):
        return f"not possible, but for a reason that nobody has thought of: {found.why}"
    return ""


def test_every_entry_is_a_scenario_with_a_verdict_of_each_interface():
    assert set(EXPECTED) <= set(catalogue.scenarios())
    assert all(len(row.split()) == len(INTERFACES) for row in EXPECTED.values())


@pytest.mark.parametrize("name", EXPECTED)
def test_a_verdict_that_is_neither_the_truth_nor_in_the_contract_is_explained(name):
    rows = [(ROWS[one], row) for one, row in zip(INTERFACES, EXPECTED[name].split(), strict=True)]
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
    assert set(getattr(found, "WHY", {})) <= {*ROWS, "soft-dirty", "handlers", "any"}, "whose verdict is it?"
    assert found.THEME in catalogue.THEMES


@pytest.mark.parametrize("name", catalogue.scenarios())
def test_a_scenario_ends_as_expected(interface, name):
    found, record = played(name, interface.name)
    assert not unexpected(name, interface.name, found), record


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
    handler = not (ROWS[name].soft_dirty or ROWS[name].wp_async)
    assert (stage.UNMAPPED in played.contract) == handler
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
