# SPDX-License-Identifier: GPL-2.0-only
"""What QEMU's plugin counts in real guests, and that no nonsense of its reports gets into a record."""

import os
import shutil

import pytest

from bench.errors import Unsupported, WorkerFailed
from bench.plan.arches import ARCHES, USUAL
from bench.plan.grids import make_point
from bench.plan.plan import Plan
from bench.plan.points import ATOMIC, LIFE, SEPARATE
from bench.plan.records import Series, Timed
from bench.run import campaign, machines
from bench.run.share import Part
from bench.store import log
from bench.vm import counting, kernel, qemu

PAGES, DIRTY = 1000, 100
ALONE = make_point("random", PAGES, 10)
TEAM = make_point("random", PAGES, 10, writers=2)
OUTSIDE = make_point("random", PAGES, 10, external=1)
MEETING = make_point("random", PAGES, 10, writers=2, concurrent=1)
LIVED = make_point("random", PAGES, 10, life="idle")
FORMS = ("none", "clear_refs", "scan-wp", "uffd-sync", "mprotect")


@pytest.fixture(scope="module")
def boots(image, tmp_path_factory):
    """Return the records of two boots of one plan."""
    accel = qemu.accelerator("icount", image, [], print)
    points = (ALONE, TEAM, OUTSIDE, MEETING, LIVED)
    plan = Plan("own", "", "", FORMS, points=points, boots=2, processes=2, where="vm", counted=True, seed=1)
    site = machines.guests(plan, kernel.find("debian:6.12", echo=print), accel, print)
    if site.remarks:
        pytest.skip(f"no plugin for QEMU: {site.remarks[0]}")
    folder = tmp_path_factory.mktemp("counted")
    campaign.measure(Part(plan, site, folder))
    timed = [one for one in log.read(log.find(folder))[0] if isinstance(one, Timed)]
    return [{one.point: one for one in timed if one.boot == boot} for boot in (0, 1)]


def of(record, interface, atomic=False):
    """The series of one form."""
    return next(one for one in record.series if (one.interface, one.atomic) == (interface, atomic))


def every_phase(boots):
    """Each (series, phase) there is."""
    return [(one, phase) for boot in boots for record in boot.values() for one in record.series for phase in one.values]


def test_functions_add_up_to_the_kernel_and_with_the_user_to_the_value(boots):
    phases = every_phase(boots)
    assert {phase for _, phase in phases} == {*SEPARATE, *ATOMIC, *LIFE}
    for series, phase in phases:
        counters = series.counters[phase]
        for i, value in enumerate(series.values[phase]):
            assert counters["user"][i] + counters["kernel"][i] == value
            assert sum(series.functions[phase][i].values()) == counters["kernel"][i]
            assert sum(series.foreign[phase][i].values()) == counters["foreign"][i]


def test_a_life_is_counted_once_by_the_functions_that_make_it(boots):
    """What ends tracking is in its own ledger, and what a handler's thread does beside it in none of a life's."""
    makes = {
        "clear_refs": {"open": "do_sys_openat2", "arm": "clear_refs_write", "close": "filp_flush"},
        "scan-wp": {"open": "userfaultfd_register", "arm": "pagemap_scan_pmd_entry", "disarm": "userfaultfd_ioctl"},
        "uffd-sync": {"open": "userfaultfd_register", "arm": "mwriteprotect_range", "disarm": "userfaultfd_ioctl"},
        "mprotect": {"arm": "mprotect_fixup", "disarm": "mprotect_fixup"},
    }
    for interface, by in makes.items():
        one = of(boots[0][LIVED], interface)
        for phase, function in by.items():
            assert len(one.values[phase]) == len(one.functions[phase]) == 1
            assert function in one.functions[phase][0], sorted(one.functions[phase][0])
    assert of(boots[0][LIVED], "none").values.keys() == {"dirty", "after"}


def test_the_clock_counts_the_same_where_nothing_disturbs(boots):
    """The warmup is one interval, by the clock, which is read around the phase: about 80 instructions a reading."""
    for atomic, phase in ((False, "collect"), (True, "collect_reset")):
        one = of(boots[0][ALONE], "scan-wp", atomic)
        assert (
            one.values[phase][0] < one.warmups[phase][0] == pytest.approx(one.values[phase][0] + 80, abs=60, rel=1e-3)
        )


# What a boot has left on the free lists decides how long these look for a page: of one boot in some dozens a few more.
ALLOCATOR = {"get_page_from_freelist", "__zone_watermark_ok", "__alloc_pages_noprof", "__rmqueue_pcplist"}


def test_two_boots_count_the_same(boots):
    """Each phase, but for what takes a page from the free lists."""
    for point in (ALONE, TEAM, OUTSIDE):
        for name in ("none", "clear_refs", "scan-wp"):
            first, second = (of(boot[point], name) for boot in boots)
            for phase in first.values:
                a, b = (one.functions[phase][0] for one in (first, second))
                differ = {
                    key: (a.get(key, 0), b.get(key, 0)) for key in a.keys() | b.keys() if a.get(key) != b.get(key)
                }
                found = sum(a.get(key, 0) - b.get(key, 0) for key in ALLOCATOR)
                assert abs(found) < 200, differ
                assert first.values[phase][0] - found == pytest.approx(second.values[phase][0], rel=1e-4, abs=8), (
                    point.name,
                    name,
                    phase,
                    differ,
                )


def test_work_is_where_it_is_done(boots):
    """Each phase's own functions, and no others' in it."""
    clear, scan = of(boots[0][ALONE], "clear_refs"), of(boots[0][ALONE], "scan-wp")
    mprotect = of(boots[0][ALONE], "mprotect")
    for series, phase, own, others in (
        (clear, "reset", "clear_refs_write", "pagemap_read"),
        (clear, "collect", "pagemap_read", "clear_refs_write"),
        (clear, "dirty", "do_wp_page", "pagemap_read"),
        (scan, "reset", "pagemap_scan_pmd_entry", "do_wp_page"),
        (scan, "dirty", "do_wp_page", "pagemap_scan_pmd_entry"),
        (mprotect, "dirty", "mprotect_fixup", "pagemap_read"),
    ):
        assert own in series.functions[phase][0]
        assert others not in series.functions[phase][0]


def test_events_are_those_that_pages_and_protections_make(boots):
    record = boots[0][ALONE]
    dirty = {name: of(record, name).counters["dirty"] for name in FORMS}
    assert {name: counts["faults"][0] for name, counts in dirty.items()} == dict.fromkeys(FORMS, DIRTY) | {"none": 0}
    # A write is a load of its page's index and a store, whatever else the loop does.
    assert DIRTY <= dirty["none"]["stores"][0] < 1.3 * DIRTY
    assert DIRTY <= dirty["none"]["loads"][0] < 1.3 * DIRTY
    assert dirty["none"]["kernel"] == [0]
    for name in ("clear_refs", "scan-wp"):  # both flush the TLB once, the scan never a page that it only reads
        reset, collect = (of(record, name).counters[phase] for phase in ("reset", "collect"))
        assert reset["cr3"][0] + reset["invlpg"][0] >= 1
        assert collect["cr3"][0] + collect["invlpg"][0] == 0
    assert not any(counts["ipi"][0] for counts in dirty.values())  # there is one CPU


def test_the_fault_s_store_is_not_counted_twice(boots):
    """The program's own instructions are the same whether its writes fault or not."""
    user = {name: of(boots[0][ALONE], name).counters["dirty"]["user"] for name in ("none", "clear_refs", "scan-wp")}
    assert user["clear_refs"] == user["scan-wp"] == user["none"]


def test_whoever_writes_is_counted_where_the_same_work_is_done(boots):
    """A fault costs the same in another thread or process; waking them is nobody's write."""
    for name in ("clear_refs", "scan-wp"):
        alone = of(boots[0][ALONE], name).values["dirty"][0]
        for point in (TEAM, OUTSIDE, MEETING):
            series = of(boots[0][point], name)
            assert series.values["dirty"][0] == pytest.approx(alone, rel=0.2)
            assert not any("futex" in function for function in series.functions["dirty"][0])


def test_a_handler_s_answers_are_part_of_the_writes(boots):
    for point in (ALONE, TEAM, MEETING):
        sync = of(boots[0][point], "uffd-sync")
        assert sync.functions["dirty"][0]["handle_userfault"]
        assert sync.functions["dirty"][0]["userfaultfd_ioctl"]


def test_interrupts_and_other_tasks_are_counted_apart_and_named(boots):
    """The timer ticks somewhere in intervals that take longer than it leaves be."""
    timer = {"hrtimer_interrupt", "asm_sysvec_apic_timer_interrupt"}
    foreign = [names for series, phase in every_phase(boots) for names in series.foreign[phase] if names]
    assert any(timer <= names.keys() for names in foreign)
    own = [names for series, phase in every_phase(boots) for names in series.functions[phase]]
    assert not any(timer & names.keys() for names in own)


REPORT = """round
phase dirty 3
totals 30 10 20
own 5 [user]
own 10 do_wp_page
own 5 mas_walk
count 7 loads
count 3 stores
foreign 40 tick
end 8
"""


def changed(old, new):
    """The report with another line, and the number of lines that it has then."""
    body = REPORT.replace(old, new).splitlines()[1:-1]
    return ["round", *body, f"end {len(body)}"]


def test_a_report_is_read_as_it_is_written():
    (found,) = counting.parsed(REPORT.splitlines())
    assert found == {
        "dirty": counting.Phase(
            [30, 10, 20], {"loads": 7, "stores": 3}, {"[user]": 5, "do_wp_page": 10, "mas_walk": 5}, {"tick": 40}
        )
    }
    assert found["dirty"].median == 20
    assert counting.parsed(changed("own 5 mas_walk", "own 2 mas_walk\nown 3 mas_walk")) == [found]  # two of one name
    assert counting.parsed([]) == []


@pytest.mark.parametrize(
    "old_new",
    [
        ("own 10", "own 11"),
        ("own 10", "own -10"),
        ("own 10", "own 1e1"),
        ("own 10", "own 99999999999999999999"),
        ("own 10 do_wp_page", "own 10"),
        ("own 10", "owned 10"),
        ("phase dirty 3", "phase dirty 4"),
        ("phase dirty 3", "phase sleep 3"),
        ("phase dirty 3", "phase dirty"),
        ("phase dirty 3\n", ""),
        ("totals 30 10 20", "totals"),
        ("count 7 loads", "count 7 stars"),
    ],
)
def test_numbers_that_can_not_be_are_refused(old_new):
    with pytest.raises(WorkerFailed, match="counting plugin"):
        counting.parsed(changed(*old_new))


def test_a_report_without_its_end_is_refused():
    lines = REPORT.splitlines()
    for wrong in (lines[:-1], [*lines[:3], lines[-1]], lines[1:], [*lines, "own 1 f"]):
        with pytest.raises(WorkerFailed, match="counting plugin"):
            counting.parsed(wrong)
    with pytest.raises(WorkerFailed, match="not where its symbols say"):
        counting.parsed(["lost", *lines[1:]])


def record(rounds="scan-wp,scan-wp", loops_of=PAGES * 6):
    """A record of two values, as the guest sends it."""
    series = Series("scan-wp", False, 8, 0, 0, {"dirty": [50.0, 51.0], "populate": [9.0, 9.0]}, {"dirty": [60.0] * 2})
    return Timed(0, make_point("random", loops_of, 10), 0, [series], {}, {"rounds": rounds})


def test_counts_come_into_the_record_in_the_order_of_its_rounds():
    one = counting.parsed(REPORT.splitlines())[0]
    other = {"dirty": one["dirty"]._replace(totals=[7, 7, 7], own={"do_wp_page": 7}, foreign={})}
    (series,) = counting.counted(record(), [one, other]).series
    assert series.values == {"dirty": [20.0, 7.0], "populate": [9.0, 9.0]}
    assert series.counters["dirty"]["user"] == [5.0, 0.0]
    assert series.counters["dirty"]["kernel"] == [15.0, 7.0]
    assert series.counters["dirty"]["foreign"] == [13.0, 0.0]
    assert series.foreign["dirty"] == [{"tick": 13}, {}]
    assert series.functions["dirty"] == [{"do_wp_page": 10, "mas_walk": 5}, {"do_wp_page": 7}]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (record("scan-wp"), "1 rounds were run, and 2 were counted"),
        (record("scan-wp,none"), "not those that were run"),
        (record(loops_of=PAGES), "not those that were run"),
    ],
)
def test_rounds_that_were_not_run_are_refused(made, why):
    rounds = counting.parsed(REPORT.splitlines() * 2)
    with pytest.raises(WorkerFailed, match=why):
        counting.counted(made, rounds)


def test_each_qemu_gets_the_interface_that_it_has():
    said = "QEMU emulator version {} (Debian 1:{}+dfsg-7)"
    known = {"7.2.22": 1, "8.2.0": 1, "9.0.2": 2, "9.1.0": 3, "10.0.13": 3, "11.0.2": 3, "11.1.0": 7, "12.0.0": 7}
    assert {version: counting.interface(said.format(version, version), "-plugin") for version in known} == known
    with pytest.raises(Unsupported, match=r"6\.2 is too old"):
        counting.interface(said.format("6.2.0", "6.2.0"), "-plugin")
    with pytest.raises(Unsupported, match="does not say its version"):
        counting.interface("", "-plugin")
    with pytest.raises(Unsupported, match="without plugins"):
        counting.interface(said.format("10.0.13", "10.0.13"), "-cpu model")


def test_without_a_compiler_the_clock_counts_and_a_remark_says_so(image, monkeypatch, tmp_path):
    monkeypatch.setenv("CC", str(tmp_path / "none"))
    accel = qemu.accelerator("icount", image, [], print)
    plan = Plan("own", "", "", FORMS, points=(ALONE,), where="vm", counted=True)
    site = machines.guests(plan, kernel.find("debian:6.12", echo=print), accel, print)
    assert "no C compiler" in " ".join(site.remarks)


@pytest.mark.skipif(not shutil.which(os.environ.get("CC", "cc")), reason="no C compiler on this machine")
def test_it_is_compiled_once(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(counting, "interface", lambda version, usage: 1)
    arch = ARCHES[USUAL]._replace(qemu="true")
    library = counting.compiled(arch)
    made = library.stat().st_ino
    assert counting.compiled(arch) == library
    assert library.stat().st_ino == made
