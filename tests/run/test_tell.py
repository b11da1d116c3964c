# SPDX-License-Identifier: GPL-2.0-only
"""What is told while something runs: to people, to machines, or not at all; and where nobody can hear it."""

import errno
import io
import json
import os
import pty
import subprocess
import sys
from contextlib import suppress

import pytest

from bench.errors import GuestFailed
from bench.run import campaign, tell
from bench.run.share import Part
from tests.run.scripted import PLAN, Scripted, answer, site
from tests.support import ROOT, bench

SMALL = ("--where", "here", "--pages", "64", "--values", "1", "--processes", "3", "--interface", "mprotect")


@pytest.fixture
def style(monkeypatch):
    """Choose a style for a test."""
    monkeypatch.setattr(tell, "_chosen", [tell.Style()])
    return lambda **given: tell.choose(tell.Style(**given))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "result").mkdir()
    return tmp_path / "result"


def events(text):
    """The events of a standard error that has nothing else."""
    return [json.loads(line) for line in text.splitlines()]


def test_machines_are_told_each_step_in_json_and_nothing_else(tmp_path):
    done = bench("run", *SMALL, "--progress", "json", "--name", tmp_path / "x")
    assert done.returncode == 0, done.stderr
    assert "One tracking interval" in done.stdout
    found = events(done.stderr)
    kinds = [one["event"] for one in found]
    steps = [one for one in kinds if one != "note"]
    assert steps == ["started", "boot", "job", "job", "job", "ended"]
    assert kinds[0] == "note"
    for one in found:
        if one["event"] != "note":
            assert one["planned"] == 3
            assert one["seconds"] >= 0
            assert one["left"] >= 0
    jobs = [one for one in found if one["event"] == "job"]
    assert [one["jobs"] for one in jobs] == [1, 2, 3]
    assert jobs[1]["name"] == "random pages=64 dirty=10%, process 1"
    assert jobs[1]["took"] > 0
    again = bench("run", *SMALL, "--progress", "json", "--name", tmp_path / "x")
    assert again.returncode == 2
    (error,) = events(again.stderr)
    assert error["event"] == "error"
    assert error["text"].endswith("exists")
    assert "--force" in error["hint"]
    assert error["status"] == 2


def test_a_boot_that_fell_is_told_once(folder, style, capsys):
    style(progress=tell.JSON)
    plan = PLAN._replace(boots=2)
    honest = Scripted(lambda job: answer(job, boot=job.process))
    with pytest.raises(GuestFailed):
        campaign.measure(Part(plan, site(Scripted(lambda job: GuestFailed("it broke")), honest), folder))
    fell = [one for one in events(capsys.readouterr().err) if one["event"] == "fell"]
    assert [(one["boot"], one["text"][:16]) for one in fell] == [(0, "boot 0: it broke")]


def test_quiet_says_nothing_but_the_report(tmp_path):
    done = bench("run", *SMALL, "--quiet", "--name", tmp_path / "x")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "One tracking interval" in done.stdout
    again = bench("run", *SMALL, "--quiet", "--name", tmp_path / "x")
    assert again.stderr.startswith("error: ")
    assert len(again.stderr.splitlines()) == 2


def test_verbose_says_each_job_and_none_only_what_is_not_progress(tmp_path):
    verbose = bench("run", *SMALL, "--verbose", "--name", tmp_path / "x").stderr
    for process in range(3):
        assert f"random pages=64 dirty=10%, process {process}: 0." in verbose
    none = bench("run", *SMALL, "--progress", "none", "--name", tmp_path / "y").stderr
    assert "Measuring 1 point" in none
    assert " jobs, " not in none
    assert " jobs, " in bench("run", *SMALL, "--name", tmp_path / "z").stderr


def test_notes_are_harmless_line_by_line(style, capsys):
    tell.note("one\x1b[31m red\ntwo\x07")
    assert capsys.readouterr().err == "one red\ntwo?\n"
    tell.failed("\x1b]0;title\x07bad", "do\x08 this", 2)
    assert capsys.readouterr().err == "error: bad\nhint: do? this\n"
    style(progress=tell.JSON)
    tell.note("one\x1b[31m red\ntwo")
    assert events(capsys.readouterr().err) == [{"event": "note", "text": "one red\ntwo"}]
    style(quiet=True)
    tell.note("nothing")
    tell.event("nothing")
    tell.failed("but this", "", 2)
    assert capsys.readouterr().err == "error: but this\n"


class Full(io.StringIO):
    """A file on a disk that is full."""

    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("where", ["full", "closed", "none"])
@pytest.mark.parametrize("given", [{}, {"progress": tell.JSON}, {"verbose": True}], ids=["text", "json", "verbose"])
def test_nobody_who_hears_ends_no_run(folder, style, monkeypatch, where, given):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", {"full": Full(), "closed": closed, "none": None}[where])
    style(**given)
    tell.note("anybody?")
    tell.failed("nobody", "then not", 2)
    campaign.measure(Part(PLAN, site(Scripted(answer)), folder))
    assert tell.sink().isatty() is False


def test_a_terminal_that_is_gone_ends_no_run(folder, style, monkeypatch):
    """The bar draws in a thread of its own."""

    class Gone(Full):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Gone())
    monkeypatch.setenv("TERM", "xterm")
    style()
    campaign.measure(Part(PLAN, site(Scripted(answer)), folder))


def test_a_bar_on_a_terminal_ends_with_what_was_said_above_it(tmp_path):
    main, end = pty.openpty()
    words = [str(ROOT / "bench.py"), "run", *SMALL, "--name", str(tmp_path / "x")]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=end, env=os.environ | {"TERM": "xterm"}) as run:
        os.close(end)
        said = b""
        with suppress(OSError):  # so a terminal ends
            while data := os.read(main, 1 << 16):
                said += data
        assert run.wait(60) == 0, said
    os.close(main)
    assert b"3/3 jobs" in said
    assert b"Measuring 1 point" in said
