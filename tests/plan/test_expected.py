# SPDX-License-Identifier: GPL-2.0-only
"""What a machine may answer: honest records pass, and whatever is not what the plan and the job ask for is named."""

import re

import pytest

from bench.plan import expected
from bench.plan.grids import make_point
from bench.plan.interfaces import Reason
from bench.plan.plan import Plan, Play, Timing
from bench.plan.records import INSTRUCTIONS, Beside, Failed, Machine, Messages, Played, Plays
from tests.run.scripted import PLAN, POINTS, answer, series

JOB, FIRST = Timing(POINTS[0], 1), Machine(0, {}, {})
HONEST = answer(JOB)
PLAY = Play("plain", "scan-wp", 5)


def changed(**more):
    """The honest answer with its last series changed."""
    return HONEST._replace(series=[*HONEST.series[:2], HONEST.series[2]._replace(**more)])


def test_a_guest_is_of_the_architecture_that_was_asked_for():
    plan = PLAN._replace(where="vm", arch="arm64")
    facts = {"architecture": "aarch64", "page_size": 4096}
    assert not expected.machine(Machine(0, facts, {}), plan, 0)
    for odd, says in (
        ({"page_size": 16384}, "aarch64 with pages of 16 KiB.*: give --arch arm64-16k"),
        ({"page_size": 65536}, "pages of 64 KiB.*: there are no guests with such a kernel"),
        ({"architecture": "x86_64"}, "x86_64 with pages of 4 KiB.*: give --arch amd64"),
        ({"page_size": "4096"}, "pages of '4096'"),
    ):
        assert re.search(says, expected.machine(Machine(0, facts | odd, {}), plan, 0)), odd
        assert not expected.machine(Machine(0, facts | odd, {}), plan._replace(where="here"), 0)


def test_where_only_interfaces_are_asked_for_a_machine_says_what_it_is():
    plan = PLAN._replace(points=(), where="vm")
    facts = {"kernel_release": "6.12", "architecture": "x86_64", "page_size": 4096}
    assert not expected.machine(Machine(0, facts, {}), plan, 0)
    for fact in facts:
        without = {key: value for key, value in facts.items() if key != fact}
        assert expected.machine(Machine(0, without, {}), plan, 0) == f"it does not say its {fact}"


def test_an_honest_answer_passes():
    assert not expected.answer(HONEST, JOB, PLAN, FIRST)
    assert not expected.answer(Failed(0, JOB.name, "killed"), JOB, PLAN, FIRST)


def test_what_is_refused_or_not_there_is_not_missed():
    refused = HONEST._replace(series=HONEST.series[:2], refused={"scan-wp atomic": "no memory"})
    assert not expected.answer(refused, JOB, PLAN, FIRST)
    without = FIRST._replace(unavailable={"scan-wp on anon": Reason("no", "")})
    alone = HONEST._replace(series=HONEST.series[:1])
    assert not expected.answer(alone, JOB, PLAN, without)
    assert "scan-wp" in expected.answer(HONEST, JOB, PLAN, without)


def test_a_first_interval_has_no_warmup_and_no_atomic_form():
    job = Timing(make_point("idle", 64, 0, first=1), 0)
    idle = series("none", intervals=1, values={"populate": [5.0]}, warmups={})
    values = {"reset": [1.0], "collect": [1.0], "populate": [5.0]}
    record = answer(job, series=[idle, series("scan-wp", intervals=1, values=values, warmups={})], facts={"writes": 0})
    assert not expected.answer(record, job, PLAN, FIRST)
    assert "101 intervals" in expected.answer(
        record._replace(series=[record.series[0], record.series[1]._replace(intervals=101)]), job, PLAN, FIRST
    )


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (HONEST._replace(boot=3), "boot 3"),
        (HONEST._replace(process=0), "process 0, which is something else"),
        (HONEST._replace(point=POINTS[1]), "times of all pages=8"),
        (HONEST._replace(series=[*HONEST.series, HONEST.series[0]]), "none twice"),
        (HONEST._replace(series=[]), "none left out"),
        (HONEST._replace(refused={"scan-wp": "no"}), "scan-wp measured and refused"),
        (HONEST._replace(series=HONEST.series[1:], refused={"none": "no"}), "none refused, which asks for nothing"),
        (HONEST._replace(facts={"writes": 0}), "0 writes"),
        (HONEST._replace(facts={}), "0 writes"),
        (changed(interface="v6"), "'v6 atomic', which nobody asked for"),
        (changed(intervals=100), "100 intervals instead of 101"),
        (changed(values={"dirty": [1.0]}), "values of dirty instead of dirty, collect_reset"),
        (changed(warmups={}), "warmups of nothing"),
        (changed(values={"dirty": [1.0], "collect_reset": [1.0, 2.0]}), "2 values of collect_reset instead of 1"),
        (changed(extra=1), "0 intervals instead of 101"),
        (changed(wrong="101x+0-1", missed=100), "101 pages missed instead of 100"),
        (changed(wrong="100x+0-0 1x+4-0", extra=4), ""),
        (changed(overlapped=102), "102 of 101 intervals"),
        (changed(functions={"dirty": [{"x": 1}]}), "the host counts"),
        (changed(counters={"dirty": {"kernel": [1.0]}}), "events 'kernel'"),
        (changed(counters={"dirty": {"page-faults:k": [1.0, 2.0]}}), "events 'page-faults:k'"),
        (changed(counters={"reset": {"page-faults:k": [1.0]}}), "events of other phases"),
        (changed(counters={"dirty": {"page-faults:k": [1.0]}}, samples={"dirty": {"x": 1}}), ""),
        (changed(orders_before={"0": 64}), "folios of 64 pages, which nobody asked for"),
        (changed(orders_changed=102), "102 changes of folios in 101 intervals"),
        (changed(beside=Beside({"dirty": {"40": 3}}, {"dirty": 40})), "bystanders, whom nobody asked for"),
        (changed(periods=3), "a rhythm, which nobody asked for"),
        (Failed(0, JOB.name, ""), "a failure without a reason"),
        (Failed(0, "", "x"), "a failure of the boot, which is something else"),
        (PLAN, "a plan, which is something else"),
        (FIRST, "what a machine is, which is something else"),
        (Messages(0, {}, []), "what a kernel's log says"),
        (Played(0, "plain", "scan-wp", "", [Plays(5)]), "a verdict on plain with scan-wp"),
    ],
)
def test_times_that_nobody_asked_for_are_named(record, says):
    found = expected.answer(record, JOB, PLAN, FIRST)
    assert says in found
    assert bool(says) == bool(found)


def test_events_are_of_no_plan_that_counts_instructions():
    record = changed(counters={"dirty": {"page-faults:k": [1.0]}})
    assert not expected.answer(record, JOB, PLAN, FIRST)
    assert "events, which nobody asked for" in expected.answer(record, JOB, PLAN._replace(counted=True), FIRST)


def test_folios_are_of_all_pages_where_they_were_asked_for():
    point = make_point("random", 64, 10, kind="anon-64k")
    plan, job = PLAN._replace(points=(point,)), Timing(point, 0)
    record = answer(job)
    for pages, says in ((64, ""), (48, "folios of 48 pages")):
        some = [one._replace(orders_after={"4": pages}) for one in record.series]
        found = expected.answer(record._replace(series=some), job, plan, FIRST)
        assert found.endswith(says)
        assert bool(found) == bool(says)


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        ([Plays(5)], ""),
        ([Plays(2), Plays(1, why="it can't")], ""),
        ([Plays(5), Plays(1, failed="it hung")], ""),
        ([Plays(4)], "4 plays instead of 5"),
        ([Plays(6)], "6 plays instead of 5"),
        ([Plays(6), Plays(1, failed="x")], "7 plays instead of 5"),
        ([Plays(5, extra=1, missed=1, broken=3)], "3 pages against the contract of 2"),
    ],
)
def test_verdicts_are_of_as_many_plays_as_were_asked_for(runs, says):
    assert expected.answer(
        Played(0, "plain", "scan-wp", "", runs), PLAY, PLAN, FIRST
    ) == says or says in expected.answer(Played(0, "plain", "scan-wp", "", runs), PLAY, PLAN, FIRST)


def test_a_machine_says_only_what_it_is_to_say():
    assert not expected.machine(
        FIRST._replace(unavailable={"scan-wp on anon": Reason("x", ""), "anon": Reason("", "")}), PLAN, 0
    )
    assert "boot 0, and is boot 1" in expected.machine(FIRST, PLAN, 1)
    assert "'v6'" in expected.machine(FIRST._replace(findings={"v6": "x"}), PLAN, 0)
    assert "instructions" in expected.machine(FIRST._replace(quantity=INSTRUCTIONS), PLAN, 0)
    assert "kernel_release" in expected.machine(FIRST, Plan("m", "", "", ("none",), scenarios=("plain",)), 0)
    assert "before the machine said" in expected.machine(HONEST, PLAN, 0)


def test_the_end_is_what_the_kernels_log_says():
    assert not expected.end(Messages(2, {}, []), 2)
    assert "boot 2, and not 1" in expected.end(Messages(2, {}, []), 1)
    assert "a failure of the boot" in expected.end(Failed(0, "", "x"), 0)
