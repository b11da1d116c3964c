# SPDX-License-Identifier: GPL-2.0-only
"""Standard streams that are closed, full or gone: a measurement goes on, and 1 never means that nobody listened."""

import json
import os
import subprocess

import pytest

from tests import synthetic
from tests.support import ROOT

HERE = "run --where here --pages 64 --values 1 --processes 2"
EPIPE = 128 + 13


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two results."""
    folder = tmp_path_factory.mktemp("results")
    for name in ("a", "b"):
        synthetic.result(folder / name, what=[("random", 100, 10.0)], processes=6)
    return folder


# What is run, how its streams are, and the status it ends with
ROWS = {
    "report, nobody reads": ("report {a}", "| true", EPIPE),
    "compare with a verdict, nobody reads": ("compare {a} {b} --fail-on 3%", "| true", EPIPE),
    "help, disk full": ("--help", "> /dev/full", 2),
    "report, disk full": ("report {a}", "> /dev/full", 2),
    "run, disk full": (f"{HERE} --name {{new}}", "> /dev/full", 2),
    "run, no stderr": (f"{HERE} --name {{new}}", "2>&-", 0),
    "run, stderr full": (f"{HERE} --name {{new}}", "2> /dev/full", 0),
    "error, no stderr": ("report {a}-none", "2>&-", 2),
    "error, stderr full": ("report {a}-none", "2> /dev/full", 2),
    "usage, stderr full": ("report", "2> /dev/full", 2),
}


@pytest.mark.parametrize("row", ROWS)
def test_streams(lab, results, row):
    words, streams, status = ROWS[row]
    words = words.format(a=results / "a", b=results / "b", new=lab.name())
    command = ["bash", "-o", "pipefail", "-c", f"{ROOT}/bench.py {words} {streams}"]
    done = subprocess.run(command, env=lab.env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if "/dev/full" in streams and status == 2 and not streams.startswith("2"):
        assert "error: standard output: No space left on device\nhint: " in done.stderr
    elif status == EPIPE:
        assert "error" not in done.stderr
    if words.startswith("run --where"):
        lines = [json.loads(line)["type"] for line in (lab.name() / "records.jsonl").read_text().splitlines()]
        assert lines.count("timed") == 2
        assert (lab.name() / "report.txt").exists()


def test_no_file_of_ours_takes_the_place_of_a_closed_stream(lab):
    """A log that is descriptor 2 would hold what is meant for people."""
    command = f"{ROOT}/bench.py {HERE} --name {lab.name()} <&- >&- 2>&-"
    subprocess.run(["bash", "-c", command], env=lab.env, timeout=120, check=True)
    for path in lab.name().iterdir():
        assert b"load average" not in path.read_bytes() or path.name in ("records.jsonl", "suite.json", "report.txt")
    assert all(json.loads(line) for line in (lab.name() / "records.jsonl").read_text().splitlines())
    assert (lab.name() / "report.txt").exists()
    assert os.listdir(lab.tmp) == []
