# SPDX-License-Identifier: GPL-2.0-only
"""From a plan to a log: on the running kernel, and with machines that lie, fall silent or die."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from bench import place
from bench.errors import BadInput, GuestFailed, PermissionDenied, Unsupported, WorkerFailed
from bench.measure import isolated
from bench.plan import records
from bench.plan.grids import make_point
from bench.plan.interfaces import Reason
from bench.plan.plan import Plan, Timing
from bench.plan.records import Failed, Machine, Messages, Timed
from bench.run import campaign, machines, resume
from bench.run.share import Part
from bench.store import frames, log
from tests.measure.conftest import working
from tests.run.scripted import PLAN, POINTS, Scripted, answer, series, site


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "result").mkdir()
    return tmp_path / "result"


def test_a_plan_is_measured_job_by_job_and_every_record_is_kept(folder):
    working("scan-wp")
    campaign.measure(Part(PLAN, machines.here(), folder))
    found, torn = log.read(folder / log.FILE)
    assert not torn
    assert found[0] == PLAN
    assert isinstance(found[1], Machine)
    assert [one.key for one in found[2:-1]] == [job.key for job in PLAN.jobs(0)]
    assert isinstance(found[-1], Messages)
    rows = frames.intervals(frames.load(folder).frame)
    assert set(rows["unit"]) == {"second"}
    assert (rows[["extra", "missed"]] == 0).all(axis=None)


def test_facts_of_the_host_and_what_the_clock_counts_are_in_the_machines_record(folder):
    campaign.measure(Part(PLAN, site(Scripted(answer)), folder))
    machine = log.read(folder / log.FILE)[0][1]
    assert machine.quantity == "instructions"
    known = {"where": "kvm", "kernel_release": "6.0", "kernel_image": "x", "turn": 0}
    assert {key: machine.facts[key] for key in known} == known
    assert {"date", "boot_time", "boot_id"} == machine.facts.keys() - known.keys()
    assert set(frames.load(folder).frame["unit"]) == {"instruction"}


def lies(**changes):
    def lie(job):
        return answer(job, **changes)

    return lie


LIES = {
    "another boot": lies(boot=1),
    "another process": lies(process=7),
    "another point": lies(point=make_point("random", 65, 10)),
    "an interface nobody asked for": lies(series=[series("none"), series("v6")]),
    "one form twice": lies(series=[series("none"), series("scan-wp"), series("scan-wp")]),
    "more values than asked for": lies(series=[series("none", values={"dirty": [1.0, 2.0]})]),
    "a failure of another job": lambda job: Failed(0, "something", "nobody asked"),
    "a machine": lambda job: Machine(0, {}, {}),
    "a plan": lambda job: PLAN,
    "a negative time": lambda job: records.encode(answer(job)).replace("[10.0]", "[-1.0]"),
    "infinity": lambda job: records.encode(answer(job)).replace("[10.0]", "[1e999]"),
    "text for a number": lambda job: re.sub(r'"intervals":\d+', '"intervals":"2"', records.encode(answer(job))),
    "no interval": lambda job: re.sub(r'"intervals":\d+', '"intervals":0', records.encode(answer(job))),
    "an unknown phase": lambda job: records.encode(answer(job)).replace('"reset"', '"dance"'),
    "an unknown field": lambda job: records.encode(answer(job))[:-1] + ',"more":1}',
    "an empty line": lambda job: "",
    "null": lambda job: "null",
    "an empty object": lambda job: "{}",
    "a list": lambda job: "[]",
    "deep nesting": lambda job: "[" * 100_000,
    "5,000 digits": lambda job: "1" * 5000,
    "no text": lambda job: "\x00\ufffd",
    "half a record": lambda job: records.encode(answer(job))[:40],
    "its end": lambda job: None,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_machine_is_not_trusted(folder, lie):
    honest = itertools.count()

    def answers(job):
        return answer(job) if not next(honest) else LIES[lie](job)

    script = Scripted(answers)
    with pytest.raises(WorkerFailed) as caught:
        campaign.measure(Part(PLAN, site(script), folder))
    assert script.killed.is_set()
    assert "1 finished jobs are kept" in caught.value.hint
    found, torn = log.read(folder / log.FILE)
    assert not torn
    kinds = [type(one) for one in found]
    assert kinds == [Plan, Machine, Timed, Failed, Messages], "what was measured before stays, and nothing else"
    assert frames.load(folder).planned == 4


def test_the_first_record_must_be_the_machines(folder):
    class Silent(Scripted):
        def line(self, seconds, doing="its work"):
            return records.encode(answer(Timing(POINTS[0], 0)))

    with pytest.raises(WorkerFailed, match="before the machine said what it is"):
        campaign.measure(Part(PLAN, site(Silent(answer)), folder))
    assert not list(folder.iterdir()), "what measured nothing is no result"


def test_a_job_that_fails_leaves_the_others_and_is_said(folder):
    def answers(job):
        return Failed(0, job.name, "it was killed by SIGKILL") if job.process else answer(job)

    with pytest.raises(WorkerFailed, match=r"2 of 4 jobs failed, first random pages=64 dirty=10%, process 1: it was"):
        campaign.measure(Part(PLAN, site(Scripted(answers)), folder))
    assert len(frames.load(folder).notes) == 2


def test_what_hung_is_named_and_what_was_measured_stays(folder):
    def answers(job):
        return GuestFailed("the guest said nothing", "its log") if job.process else answer(job)

    with pytest.raises(GuestFailed) as caught:
        campaign.measure(Part(PLAN, site(Scripted(answers)), folder))
    assert str(caught.value) == "the guest said nothing (while measuring random pages=64 dirty=10%, process 1)"
    assert f"2 finished jobs are kept: ./bench.py report {place.called(folder)}" in caught.value.hint


def test_where_nothing_can_be_measured_the_reason_is_the_error(folder):
    machine = Machine(0, {}, {"scan-wp": Reason("no ioctl", "boot another"), "anon": Reason("none works", "")})
    with pytest.raises(Unsupported, match="scan-wp: no ioctl") as caught:
        campaign.measure(Part(PLAN._replace(boots=2), site(Scripted(answer, machine)), folder))
    assert caught.value.hint == "boot another"
    assert not list(folder.iterdir())


def test_boots_run_at_once_and_one_that_falls_leaves_the_others(folder):
    both = threading.Barrier(2, timeout=20)

    def meets(job):
        both.wait()
        return answer(job, boot=job.process)

    campaign.measure(Part(PLAN._replace(boots=2), site(Scripted(meets), Scripted(meets), at_once=2), folder))
    assert {one.boot for one in log.read(folder / log.FILE)[0] if isinstance(one, Timed)} == {0, 1}


def test_a_boot_that_falls_leaves_the_others_and_two_that_fall_end_a_kernel(folder):
    def broken(job):
        return GuestFailed("it broke", "its log")

    def honest(job):
        return answer(job, boot=job.process)

    plan = PLAN._replace(boots=4, processes=4)
    with pytest.raises(GuestFailed) as caught:
        campaign.measure(Part(plan, site(*map(Scripted, (broken, honest, broken))), folder))
    said = "boot 0: it broke (while measuring random pages=64 dirty=10%, process 0); 2 boots came to no end"
    assert str(caught.value) == said
    assert caught.value.hint == f"2 finished jobs are kept: ./bench.py report {place.called(folder)}; its log"
    result = frames.load(folder)
    assert set(result.frame["boot"]) == {1}
    assert [one[:31] for one in result.fallen] == [f"Boot {n} came to no end: it broke" for n in (0, 2)]


def test_a_machine_that_was_starting_when_all_ended_does_nothing(folder):
    """Ctrl-C, or a disk that is full, may come while QEMU is being started."""
    failed = threading.Event()
    late = Scripted(answer)

    def fail(job):
        failed.set()
        raise PermissionDenied("the disk is full")

    starts = iter([lambda: Scripted(fail), lambda: (failed.wait(20) and time.sleep(0.5)) or late])
    slow = machines.Site(lambda log, echo, boot: next(starts)(), 2, {}, "instructions", "a script")
    with pytest.raises(PermissionDenied, match="full"):
        campaign.measure(Part(PLAN._replace(boots=2), slow, folder))
    assert not late.sent


def test_a_log_names_its_schema_and_another_one_is_refused(folder):
    campaign.measure(Part(PLAN, site(Scripted(answer)), folder))
    path = folder / log.FILE
    first, rest = path.read_text().split("\n", 1)
    assert json.loads(first)["schema"] == "pagemap-bench 5"
    for other in ('"schema":"pagemap-bench 6",', ""):
        path.write_text(first.replace('"schema":"pagemap-bench 5",', other) + "\n" + rest)
        with pytest.raises(BadInput, match="line 1: a result of another version"):
            frames.load(folder)
    path.write_text(first.replace("pagemap-bench 5", "pagemap-bench 4") + "\n" + rest)
    assert not frames.load(folder).frame.empty
    with pytest.raises(BadInput, match="older version"):
        resume.plan_of(folder, None, print)


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ([1, 0, 2], "line 1: the plan must come first"),
        ([0, 2, 1], "line 2: boot 0 has no machine yet"),
        ([0, 1, "other", 2], "line 3: a second plan, of something else"),
    ],
)
def test_records_out_of_place_are_named(folder, order, says):
    campaign.measure(Part(PLAN, site(Scripted(answer)), folder))
    path = folder / log.FILE
    lines = dict(enumerate(path.read_text().splitlines())) | {"other": records.encode(PLAN._replace(seed=4))}
    path.write_text("".join(lines[i] + "\n" for i in order))
    with pytest.raises(BadInput, match=says):
        log.read(path)


RUN = """
import sys
from pathlib import Path
from bench import signals
from bench.plan import records
from bench.run import campaign, machines
from bench.run.share import Part
signals.catch()
campaign.measure(Part(records.decode(sys.argv[1]), machines.here(), Path(sys.argv[2])))
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_leaves_a_log_and_no_process(folder, sign):
    working("scan-wp")
    plan = PLAN._replace(processes=500)
    # What a shell starts in the background ignores SIGINT, and so would all that we start.
    words = ["env", "--default-signal", sys.executable, "-c", RUN, records.encode(plan), str(folder)]
    run = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while len(read_lines(folder)) < 5:
        assert time.monotonic() < end, "it measured nothing"
        time.sleep(0.01)
    children = psutil.Process(run.pid).children(recursive=True)
    assert children
    run.send_signal(sign)
    run.wait(30)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
    result = frames.load(folder)
    assert result.planned == 1000
    assert not frames.intervals(result.frame).empty


def read_lines(folder):
    path = folder / log.FILE
    return path.read_text().splitlines() if path.exists() else []


def test_a_torn_last_line_is_left_out_and_said_wherever_it_is_cut(folder):
    campaign.measure(Part(PLAN, site(Scripted(answer)), folder))
    path = folder / log.FILE
    data = path.read_bytes()
    whole = log.read(path)[0]
    for cut in range(0, len(data), 97):
        path.write_bytes(data[:cut])
        found, torn = log.read(path)
        assert found == whole[: len(found)]
        assert len(found) == data[:cut].count(b"\n")
        assert bool(torn) == (not data[:cut].endswith(b"\n") and cut > 0)


def test_appending_after_a_torn_line_glues_nothing_to_it(folder):
    campaign.measure(Part(PLAN, site(Scripted(answer)), folder))
    path = folder / log.FILE
    whole = log.read(path)[0]
    path.write_bytes(path.read_bytes()[:-10])
    with log.Log(folder) as again:
        again.append(whole[-1])
    assert log.read(path) == (whole, "")


def test_a_damaged_line_is_named(folder):
    campaign.measure(Part(PLAN, site(Scripted(answer)), folder))
    path = folder / log.FILE
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], json.dumps({"type": "timed"}), *lines[2:]]) + "\n")
    with pytest.raises(BadInput, match=r"line 3: timed lacks boot"):
        log.read(path)


def test_saving_takes_no_longer_the_more_there_is(folder):
    """All saves of a suite of 500 processes: under a second of CPU."""
    record = answer(Timing(POINTS[0], 0))
    record = record._replace(series=record.series * 3)
    with log.Log(folder) as kept:
        kept.append(PLAN)
        kept.append(Machine(0, {}, {}))
        start = time.process_time()
        for process in range(500):
            kept.append(record._replace(process=process))
        assert time.process_time() - start < 1


def test_a_child_that_hangs_is_ended_and_said():
    said, trouble = isolated.run(lambda say: (say(1), time.sleep(60)), 0.5)
    assert said == [1]
    assert trouble.startswith("it did not end within 0.5 s: it waits")


def test_a_child_that_is_stopped_is_ended_and_said():
    said, trouble = isolated.run(lambda say: (say(1), os.kill(os.getpid(), signal.SIGSTOP)), 0.5)
    assert (said, trouble) == ([1], "it did not end within 0.5 s: it is stopped, by a signal or a tracer")


def test_a_child_that_says_and_dies_is_said_so(capfd):
    assert isolated.run(lambda say: (say("a"), os._exit(3)), 20) == (["a"], "it ended with status 3")
    assert isolated.run(lambda say: os.kill(os.getpid(), 9), 20) == ([], "it was killed by SIGKILL")
    assert isolated.run(lambda say: 1 / 0, 20)[1] == "it ended with status 70"
    assert "ZeroDivisionError" in capfd.readouterr().err
    assert isolated.run(lambda say: say({"b": [1]}), 20) == ([{"b": [1]}], "")


@pytest.mark.timeout(30)
def test_pipes_in_the_places_of_a_log_or_console_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "guest.log")
    campaign.measure(Part(PLAN, site(Scripted(answer)), tmp_path))
    assert isinstance(log.read(tmp_path / log.FILE)[0][-1], Messages)
    (tmp_path / "other").mkdir()
    os.mkfifo(tmp_path / "other" / log.FILE)
    with pytest.raises(BadInput, match=f"{tmp_path}/other/{log.FILE} is no file"):
        campaign.measure(Part(PLAN, site(Scripted(answer)), tmp_path / "other"))
