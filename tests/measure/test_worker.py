# SPDX-License-Identifier: GPL-2.0-only
"""The server of workers as a run uses it: what it answers, what it holds itself to, and how it fails."""

import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest

from bench.measure import isolated, timing
from bench.measure.core import Mapping, ffi
from bench.plan import grids, points, records
from bench.plan.interfaces import INTERFACES
from bench.plan.plan import Plan, Play, Timing
from bench.plan.records import Failed, Machine, Messages, Played, Timed
from tests.measure.conftest import TRACKING, why_not

WORKING = [name for name in TRACKING if not why_not(name)]


def serve(plan, *jobs):
    """Have jobs done as a run does; return the records."""
    lines = [records.encode(plan), "0", *map(records.encode, jobs), ""]
    done = subprocess.run(
        [sys.executable, "-m", "bench.measure.serve"], input="\n".join(lines) + "\n", capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [records.decode(line) for line in done.stdout.splitlines()]


@contextmanager
def serving(plan):
    """A server that has said what the machine is: (its process, tell(line), heard() its next record)."""
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.measure.serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def tell(line):
        server.stdin.write(line + "\n")
        server.stdin.flush()

    def heard():
        return records.decode(server.stdout.readline())

    try:
        tell(records.encode(plan))
        tell("0")
        assert isinstance(heard(), Machine)
        yield server, tell, heard
        tell("")
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()
        server.stdin.close()
        server.stdout.close()


def work(point, names, values=2):
    """Measure one point; return its record."""
    plan = Plan("own", "", "", tuple(names), points=(point,), values=values, seed=5)
    machine, timed, messages = serve(plan, Timing(point, 0))
    assert isinstance(machine, Machine)
    assert isinstance(messages, Messages)
    assert machine.findings == {}
    return timed


def test_a_worker_measures_all_interfaces_that_work_here():
    if not WORKING:
        pytest.skip(f"no interface works here: {why_not(TRACKING[0]).why}")
    point = grids.make_point("random", 1000, 10)
    record = work(point, ["none", *WORKING], values=3)
    assert isinstance(record, Timed)
    assert (record.point, record.process, record.refused) == (point, 0, {})
    assert record.facts["written_pages"] == 100
    rows = {(one.interface, one.atomic): one for one in record.series}
    assert set(rows) == {("none", False)} | {(name, atomic) for name in WORKING for atomic in INTERFACES[name].forms}
    assert list(rows["none", False].values) == ["dirty"]
    for (name, atomic), one in rows.items():
        assert (one.extra, one.missed) == (0, 0) or not INTERFACES[name].flushes
        assert one.intervals == 3 * (1 + point.loops)
        if name != "none":
            assert list(one.values) == (["dirty", "collect_reset"] if atomic else ["reset", "dirty", "collect"])
        for phase, values in one.values.items():
            assert len(values) == len(one.warmups[phase]) == 3
            assert all(0 < value < 1e9 for value in values)


@pytest.mark.parametrize("what", ["mmap", "smaps"])
def test_a_worker_has_somebody_stand_by_and_keeps_what_he_noted(what):
    point = grids.make_point("random", 1000, 10, bystanders=what)
    end, series = time.monotonic() + 60, []
    while not any(one.beside.counts for one in series):
        assert time.monotonic() < end, "nothing that he did met any phase"
        series = work(point, ["none", *WORKING[:1]], values=2).series
    for one in series:
        own = {"dirty"} if one.interface == "none" else {"reset", "dirty", "collect", "collect_reset", records.APART}
        seen = one.beside.counts
        assert own | {records.ANY} >= seen.keys()
        assert seen.keys() == one.beside.longest.keys()
        for row, counts in seen.items():
            last = max(map(int, counts))
            assert records.latency(last)[0] <= one.beside.longest[row] < records.latency(last)[1]
    assert {one.missed for one in series} == {0}
    assert not any(one.counters for one in series), "no round is counted with somebody beside it"


def test_a_worker_whose_directory_is_gone_says_which_call_failed(tmp_path):
    """It was there when the machine said what can be measured on it."""
    if not WORKING:
        pytest.skip(f"no interface works here: {why_not(TRACKING[0]).why}")
    gone = tmp_path / "gone"
    gone.mkdir()
    point = grids.make_point("random", 64, 10, kind="file-private")
    plan = Plan("own", "", "", ("none", *WORKING[:1]), points=(point,), values=1, directory=str(gone))
    with serving(plan) as (_, tell, heard):
        gone.rmdir()
        tell(records.encode(Timing(point, 0)))
        failed = heard()
    assert isinstance(failed, Failed)
    assert failed.why.endswith(": open(file in --directory) failed: No such file or directory")


@pytest.mark.parametrize("pages", [1, 65_536])
def test_a_worker_stays_small(pages):
    """At most 40 MiB plus 48 bytes a page beyond the mapping, since clear_refs walks all of it."""
    record = work(grids.make_point("random", pages, 50), ["none", *WORKING], values=1)
    assert 0 < record.facts["worker_bytes"] < points.WORKER_BYTES + points.WORKER_BYTES_PER_PAGE * pages


def test_a_server_has_no_libraries_that_its_workers_do_not_need():
    """Their pages and VMAs are walked by clear_refs in each worker."""
    code = "import sys, bench.measure.serve; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    needless = {"threading", "unicodedata", "subprocess", "pyperf", "psutil", "tempfile", "numpy", "bench.processes"}
    assert not needless & set(done.stdout.split())


def test_every_form_has_its_mapping_at_the_same_address():
    """The place in the address space changes what a page fault costs by up to 4 %."""

    def place(say):
        with Mapping(100) as mapping:
            say(int(ffi.cast("uintptr_t", mapping.struct.base)))

    places = {isolated.run(place, 20)[0][0] for _ in range(3)}
    assert len(places) == 1
    assert places.pop() % (2 << 20) == 0


def test_a_worker_that_cannot_work_says_which_call_failed():
    broken = [name for name in TRACKING if why_not(name) and "PAGEMAP_SCAN" in why_not(name).why]
    if not broken:
        pytest.skip("every interface's calls succeed here")
    plan = Plan("own", "", "", (broken[0],), points=(grids.make_point("random", 8, 50),))
    [said], trouble = isolated.run(lambda say: say(attempt(Timing(plan.points[0], 0), plan, [broken[0]])), 60)
    assert not trouble
    assert re.search(r"ioctl\(PAGEMAP_SCAN.*\) failed: (Inappropriate ioctl|Invalid argument)", said)


def attempt(job, plan, names):
    try:
        return records.encode(timing.measure(job, plan, names, 0))
    except timing.WorkerFailed as error:
        return str(error)


def test_a_job_that_dies_leaves_the_others(monkeypatch):
    """A job whose process is killed is a record that says so, and the server goes on."""
    point = grids.make_point("random", 64, 10)
    plan = Plan("own", "", "", ("none", *WORKING), points=(point,), seed=5, processes=2)
    with serving(plan) as (server, tell, heard):
        large = grids.make_point("random", 400_000, 100)
        tell(records.encode(Timing(large, 0)))
        end = time.monotonic() + 60
        while not (workers := psutil.Process(server.pid).children()) and time.monotonic() < end:
            time.sleep(0.01)
        workers[0].send_signal(signal.SIGKILL)
        failed = heard()
        assert isinstance(failed, Failed)
        assert failed.job == Timing(large, 0).name
        assert failed.why == "it was killed by SIGKILL"
        tell(records.encode(Timing(point, 1)))
        assert isinstance(heard(), Timed)


def test_a_scenario_is_one_more_job():
    if not WORKING:
        pytest.skip(f"no interface works here: {why_not(TRACKING[0]).why}")
    plan = Plan("meaning", "", "", tuple(WORKING), scenarios=("plain",), values=3)
    machine, played, _ = serve(plan, Play("plain", WORKING[0], 3))
    assert machine.facts["copy_page_ns"] > 0
    assert isinstance(played, Played)
    assert [(run.times, run.extra, run.missed) for run in played.runs] == [(3, 0, 0)]


def test_a_server_dies_with_who_started_it():
    """A parent that is killed in any moment, the first one included, leaves no server behind."""
    script = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'bench.measure.serve', str(os.getpid())],"
        " stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
        pid = int(done.stdout)
        end = time.monotonic() + 20
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < end, "it outlived its parent"
            time.sleep(0.02)


def test_wrong_intervals_are_kept_one_by_one():
    found = [(0, 0), (0, 0), (512, 0), (0, 3)]
    rounds = [{
        "warmup": {}, "value": {}, "populate": 1, "huge_kib": 0, "vmas": 1, "example": "extra 7 and 511 more",
        "rhythm": [0, 0], "intervals": [[count, [*pages, 0]] for count, pages in records.coded(found)],
    }]  # fmt: skip
    one = timing._series(INTERFACES["scan-wp"], False, rounds)
    assert one.wrong == "2x+0-0 1x+512-0 1x+0-3"
    assert one.example == "extra 7 and 511 more"
    assert (one.intervals, one.extra, one.missed) == (4, 512, 3)
    assert records.wrong_intervals(one.wrong, one.extra, one.missed) == 2
