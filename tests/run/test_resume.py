# SPDX-License-Identifier: GPL-2.0-only
"""What was interrupted goes on, and ends as if it had not been."""

import subprocess
import sys

import pytest

from bench import place
from bench.errors import BadInput, GuestFailed, WorkerFailed
from bench.measure import machine
from bench.plan import records
from bench.plan.plan import READABLE, SCHEMA
from bench.plan.records import Failed, Machine, Messages, Timed
from bench.run import campaign, machines, resume
from bench.run.options import More
from bench.run.share import Part
from bench.store import frames, log
from tests.measure.conftest import working
from tests.run.scripted import PLAN, Scripted, answer, series, site
from tests.support import ROOT, refused


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "result").mkdir()
    return tmp_path / "result"


def measured(folder, plan, *scripts):
    campaign.measure(Part(plan, site(*scripts), folder))


def honest(job):
    """Of a plan with one process a boot."""
    return answer(job, boot=job.process)


def table(folder):
    rows = frames.intervals(frames.load(folder).frame)
    return rows.sort_values(["workload", "form", "process", "round"]).drop(columns=["turn"]).reset_index(drop=True)


def dies_after(count):
    """Answers so many jobs, then the runner is gone: nothing of it is caught."""
    left = iter(range(count))

    def answers(job):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return honest(job)

    return answers


@pytest.mark.parametrize("count", range(6))
def test_a_guest_that_was_interrupted_is_measured_anew_and_the_others_are_not(folder, tmp_path, count):
    plan = PLAN._replace(boots=3, processes=3, where="vm")
    (tmp_path / "whole").mkdir()
    measured(tmp_path / "whole", plan, *map(Scripted, [honest] * 3))
    with pytest.raises(KeyboardInterrupt):
        measured(folder, plan, Scripted(dies_after(count)), Scripted(dies_after(count - 2)), Scripted(dies_after(0)))
    finished = count // 2
    left = [Scripted(honest) for _ in range(3 - min(finished, 2))]
    if not (folder / log.FILE).exists():  # nothing was measured, so there is nothing to go on with
        assert not count
        return
    measured(folder, resume.plan_of(folder, None, print), *left)
    assert all(one.sent for one in left)
    assert table(folder).equals(table(tmp_path / "whole"))


@pytest.mark.parametrize("path", ["m", "m/base"])
def test_what_is_packed_is_said_to_be(path):
    """Of a matrix, which of them `run` says, and of its results."""
    folder = ROOT / "results/example-matrix"
    said = refused("run", "--resume", folder if path == "m" else folder / "base")
    assert (f"is a matrix\nhint: ./bench.py matrix --resume {folder.name}" if path == "m" else "is packed") in said


def test_values_of_a_boot_that_began_again_are_not_mixed(folder):
    def late(job):
        later = series("scan-wp", values={"reset": [9.0], "dirty": [9.0], "collect": [9.0]})
        return answer(job, series=[series("none"), later, series("scan-wp", atomic=True)])

    with pytest.raises(KeyboardInterrupt):
        measured(folder, PLAN._replace(processes=1), Scripted(dies_after(1)))
    measured(folder, PLAN._replace(processes=1), Scripted(late))
    found = [one for one in log.read(folder / log.FILE)[0] if isinstance(one, Timed)]
    assert [one.series[1].values["reset"] for one in found] == [[9.0], [9.0]]


def test_a_failed_job_is_done_again(folder):
    def fails(job):
        return Failed(0, job.name, "killed") if job.process else answer(job)

    with pytest.raises(WorkerFailed, match="2 of 4 jobs failed"):
        measured(folder, PLAN, Scripted(fails))
    assert resume.next_boot(folder, PLAN, "", print) == 0
    measured(folder, PLAN, Scripted(answer))
    found = log.read(folder / log.FILE)[0]
    assert not [one for one in found if isinstance(one, Failed)]
    assert len(frames.load(folder).frame) == 4 * 6
    assert resume.next_boot(folder, PLAN, "", print) is None


def test_a_boot_that_fell_is_done_again(folder):
    plan = PLAN._replace(boots=2)
    with pytest.raises(GuestFailed, match="boot 0: it broke"):
        measured(folder, plan, Scripted(lambda job: GuestFailed("it broke")), Scripted(honest))
    measured(folder, plan, Scripted(honest))
    assert frames.load(folder).notes == []


def test_a_result_is_extended_by_boots_like_those_it_has(folder):
    plan = PLAN._replace(boots=2, processes=2, command="./bench.py run --processes 2 --boots 2 --where vm")
    measured(folder, plan, *map(Scripted, [honest] * 2))
    longer = resume.plan_of(folder, More(3), print)
    assert (longer.boots, longer.processes) == (5, 5)
    assert longer.command == "./bench.py run --processes 5 --boots 5 --where vm"
    measured(folder, longer, *map(Scripted, [honest] * 3))
    result = frames.load(folder)
    assert result.host["command"] == longer.command
    assert result.planned == 10
    assert set(result.frame["boot"]) == {0, 1, 2, 3, 4}
    with pytest.raises(BadInput, match="has 5 boots"):
        resume.plan_of(folder, 4, print)
    assert resume.plan_of(folder, 5, print) == longer


def test_boots_that_agree_make_the_others_needless_and_those_that_differ_do_not(tmp_path):
    plan = PLAN._replace(boots=5, processes=5, least_boots=3, counted=True)

    def differing(job):
        apart = series("none", values={"dirty": [10.0 + 9 * job.process]})
        return answer(job, boot=job.process, series=[apart, series("scan-wp"), series("scan-wp", atomic=True)])

    for answers, boots in ((honest, 3), (differing, 5)):
        folder = tmp_path / str(boots)
        folder.mkdir()
        measured(folder, plan, *map(Scripted, [answers] * boots))
        found = log.read(folder / log.FILE)[0]
        assert found[0].boots == found[0].processes == boots
        assert sum(isinstance(one, Messages) for one in found) == boots
        assert resume.next_boot(folder, found[0], "", print) is None


def test_another_kernel_is_refused(folder):
    facts = {"where": "kvm", "kernel_release": "6.0", "kernel_sha256": "abc"}
    measured(folder, PLAN, Scripted(answer, Machine(0, facts, {})))
    resume.check_kernel(folder, {"kernel_sha256": "abc"})
    with pytest.raises(BadInput, match="another kernel: abc, not def"):
        resume.check_kernel(folder, {"kernel_sha256": "def"})


def test_a_boot_of_a_real_machine_counts_once(folder):
    plan = PLAN._replace(boots=2, processes=4)
    facts = {"where": "bare-metal", "kernel_release": "6.0", "boot_id": "first"}
    part = Part(plan, site(Scripted(answer, Machine(0, facts, {})), facts={}), folder)
    campaign.measure(part, only=(0, 0))
    with pytest.raises(BadInput, match="has this boot already"):
        resume.next_boot(folder, plan, "first", print)
    assert resume.next_boot(folder, plan, "second", print) == 1


def test_a_real_machine_goes_on_where_it_was_while_it_is_up(folder):
    facts = {"where": "bare-metal", "kernel_release": "6.0", "boot_id": "first"}
    part = Part(PLAN, site(Scripted(dies_after(1), Machine(0, facts, {})), facts={}), folder)
    with pytest.raises(KeyboardInterrupt):
        campaign.measure(part, only=(0, 0))
    again = Scripted(answer, Machine(0, facts, {}))
    said = []
    assert resume.next_boot(folder, PLAN, "first", said.append) == 0
    campaign.measure(part._replace(site=site(again, facts={})), only=(0, 0))
    assert len([line for line in again.sent[2:] if line]) == 3, "one of four jobs was done before"
    assert not said
    assert resume.next_boot(folder, PLAN, "second", said.append) is None


def test_a_real_machine_that_was_rebooted_measures_its_boot_anew(folder):
    facts = {"where": "bare-metal", "kernel_release": "6.0", "boot_id": "first"}
    part = Part(PLAN, site(Scripted(dies_after(1), Machine(0, facts, {})), facts={}), folder)
    with pytest.raises(KeyboardInterrupt):
        campaign.measure(part, only=(0, 0))
    said = []
    assert resume.next_boot(folder, PLAN, "second", said.append) == 0
    assert said == ["The machine was rebooted since: the boot that was under way is measured anew."]
    again = Scripted(answer, Machine(0, facts | {"boot_id": "second"}, {}))
    campaign.measure(part._replace(site=site(again, facts={})), only=(0, 0))
    assert len([line for line in again.sent[2:] if line]) == 4


RUN = """
import sys
from pathlib import Path
from bench.plan import records
from bench.plan.plan import READABLE, SCHEMA
from bench.run import campaign, machines
from bench.run.share import Part
campaign.measure(Part(records.decode(sys.argv[1]), machines.here(), Path(sys.argv[2])))
"""


def test_a_run_killed_at_any_moment_goes_on_and_is_whole(folder):
    working("scan-wp")
    plan = PLAN._replace(processes=60)
    for lines in (3, 30, 90):
        run = subprocess.Popen(
            [sys.executable, "-c", RUN, records.encode(plan), str(folder)], stderr=subprocess.DEVNULL
        )
        try:
            awaited(folder, lines, run)
        finally:
            run.kill()
            run.wait(30)
    assert resume.next_boot(folder, plan, machine.boot_id(), print) == 0
    before = sum(isinstance(one, Timed) for one in log.read(folder / log.FILE)[0])
    assert before >= 80  # of 90 lines some are machines
    campaign.measure(Part(plan, machines.here(), folder))
    found = log.read(folder / log.FILE)[0]
    assert sorted(one.process for one in found if isinstance(one, Timed)) == sorted([*range(60)] * 2)


def awaited(folder, lines, run, seconds=60.0):
    import time

    end = time.monotonic() + seconds
    path = folder / log.FILE
    while not path.exists() or path.read_bytes().count(b"\n") < lines:
        assert run.poll() is None, "it ended by itself"
        assert time.monotonic() < end, "it measured too little"
        time.sleep(0.005)


def test_two_processes_do_not_write_one_result(folder):
    with log.Log(folder), pytest.raises(BadInput, match="being measured by another process"):
        log.Log(folder)


def test_only_a_result_that_a_run_left_half_is_gone_on_with(folder):
    path = folder / log.FILE
    plan = PLAN._replace(version=str(place.version()))

    def refused(*written, boots=None):
        path.write_text("".join(f"{records.encode(one)}\n" for one in written))
        with pytest.raises(BadInput) as caught:
            resume.plan_of(folder, boots, print)
        return str(caught.value)

    with pytest.raises(BadInput, match=f"has no {log.FILE} to go on with"):
        resume.plan_of(folder, None, print)
    assert "has no plan in its first line" in refused()
    assert "its command can't be read: No closing quotation" in refused(plan._replace(command="./bench.py run 'x"))
    assert "result was merged" in refused(plan._replace(merged=("a", "b")))
    for older in set(READABLE) - {SCHEMA}:
        assert "begun by an older version" in refused(plan._replace(schema=older))
    assert "--boots has no meaning" in refused(plan._replace(scenarios=("plain",)), boots=3)
    path.rename(folder / f"{log.FILE}.xz")
    with pytest.raises(BadInput, match="is packed") as caught:
        resume.plan_of(folder, None, print)
    assert caught.value.hint.startswith("unpack ")


def test_a_result_of_another_version_is_gone_on_with_and_that_is_said(folder):
    said = []
    for version in ("0.0.1", str(place.version())):
        (folder / log.FILE).write_text(records.encode(PLAN._replace(version=version)) + "\n")
        assert resume.plan_of(folder, None, said.append).version == version
    assert said == [f"It was begun by version 0.0.1 of this suite; this is {place.version()}."]


def test_more_jobs_than_options_can_ask_for_are_refused_before_they_are_counted(folder):
    """A log may be anybody's: each number in it is one that may be."""
    points = [point._replace(pages=1 + number) for number in range(5000) for point in PLAN.points[:1]]
    log.write(folder, [PLAN._replace(points=points, processes=99_999)])
    said = refused("run", "--resume", folder, "--dry-run")
    assert "records.jsonl, line 1: 499995000 jobs are more than the 20000000 of one plan" in said


def test_boots_that_make_a_plan_too_large_are_refused_before_anybody_has_to_read_it(folder):
    point, kernel = PLAN.points[0], {"where": "vm", "kernel": "debian:6.12"}
    for points, processes, says in ((1, 100_000, "processes"), (20_000, 1000, "jobs")):
        many = tuple(point._replace(pages=1 + number) for number in range(points))
        plan = PLAN._replace(points=many, processes=processes, boots=1000, **kernel)
        log.write(folder, [plan])
        assert resume.plan_of(folder, None, str) == plan
        with pytest.raises(BadInput, match=f"{says} are more than the"):
            resume.plan_of(folder, More(1), str)
