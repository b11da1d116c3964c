# SPDX-License-Identifier: GPL-2.0-only
"""A worker process: what it prints, what it holds itself to, and how it fails."""

import json
import re
import subprocess
import sys

import pytest

from bench import interfaces, suite
from bench.mapping import DIRECTORY, Interval
from bench.worker import wrong_intervals
from tests.live.conftest import TRACKING, why_not

WORKING = [name for name in TRACKING if not why_not(name)]


def work(point, names, values=2, process=0):
    """Run one worker, as the suite does, and return its record."""
    job = {"point": list(point), "process": process, "interfaces": names, "seed": 5, "values": values}
    job["directory"] = DIRECTORY
    argv = [sys.executable, "-m", "bench.worker", "--job", json.dumps(job)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_worker_measures_all_interfaces_that_work_here():
    if not WORKING:
        pytest.skip(f"no interface works here: {why_not(TRACKING[0]).why}")
    point = suite.make_point("random", 1000, 10)
    record = work(point, ["none", *WORKING], values=3)
    assert record["metadata"]["written_pages"] == 100
    rows = {(one["interface"], one["atomic"]): one for one in record["series"]}
    atomic = {(name, 1) for name in WORKING if interfaces.find(name).atomic}
    assert set(rows) == {("none", 0)} | {(name, 0) for name in WORKING} | atomic
    assert list(rows["none", 0]["phases"]) == ["dirty"]
    for (name, is_atomic), one in rows.items():
        assert (one["extra"], one["missed"]) == (0, 0) or not interfaces.find(name).flushes
        assert one["intervals"] == 3 * (1 + point.loops)
        if name != "none":
            expected = ["dirty", "collect_reset"] if is_atomic else ["reset", "dirty", "collect"]
            assert list(one["phases"]) == expected
        for phase in one["phases"].values():
            assert len(phase["values"]) == len(phase["warmups"]) == 3
            assert all(0 < value < 1 for value in phase["values"])


@pytest.mark.parametrize("pages", [1, 65_536])
def test_a_worker_stays_small(pages):
    """DESIGN: at most 40 MiB plus 48 bytes a page beyond the mapping, since clear_refs walks all of it."""
    record = work(suite.make_point("random", pages, 50), ["none", *WORKING], values=1)
    assert 0 < record["metadata"]["worker_bytes"] < suite.WORKER_BYTES + suite.WORKER_BYTES_PER_PAGE * pages


def test_a_worker_that_cannot_work_says_which_call_failed():
    broken = [name for name in TRACKING if why_not(name) and "PAGEMAP_SCAN" in why_not(name).why]
    if not broken:
        pytest.skip("every interface's calls succeed here")
    job = {"point": ["random", 8, 50], "process": 0, "interfaces": broken, "seed": 5, "values": 1}
    job["directory"] = DIRECTORY
    argv = [sys.executable, "-m", "bench.worker", "--job", json.dumps(job)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert re.match(r"ioctl\(PAGEMAP_SCAN\) failed: (Inappropriate ioctl|Invalid argument)", done.stderr)
    assert "Traceback" not in done.stderr


def test_wrong_intervals_are_kept_one_by_one():
    found = [Interval(1, 1, 1, extra, missed) for extra, missed in [(0, 0), (0, 0), (512, 0), (0, 3)]]
    assert wrong_intervals(found) == "2x+0-0 1x+512-0 1x+0-3"
