# SPDX-License-Identifier: GPL-2.0-only
"""Folders of results whose owner was killed, that are taken away in the middle, or that are not ours to replace."""

import json
import os
import shutil
import signal
import subprocess

import pytest

from bench.store import frames
from tests.faults.support import SMALL, survived

HONEST = "begin(); work(); end()"
HERE = ("run", "--where", "here", "--interface", "mprotect", "--pages", "64", "--values", "1")
ONE_JOB = "begin(); answer(job()); job(); import time; time.sleep(300)"


def kinds(folder):
    """Kinds of the whole records of a log, none while the log is being replaced."""
    try:
        lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [json.loads(line)["type"] for line in lines if line.endswith("\n")]


def has(folder, *wanted):
    return lambda: all(kinds(folder).count(one) >= wanted.count(one) for one in wanted)


def killed(lab, process, so_far):
    """Kill a command with SIGKILL once it has come so far; return what it said. All it started must be gone."""
    try:
        lab.until(process, so_far)
    finally:
        process.kill()
        said = process.communicate(timeout=30)[1]
    assert not lab.left(), "nobody outlives who was killed"
    return said


def one_job(lab, *more):
    """Measure one of two jobs in a guest, and be killed; return what was said."""
    before, done = changed(lab.name()), has(lab.name(), "timed")
    run = lab.start(*two_jobs(lab, ONE_JOB), *more)
    return killed(lab, run, lambda: done() and changed(lab.name()) not in (before, 0))


def changed(folder):
    """When a log was last written, in ns; 0 while there is none."""
    try:
        return (folder / "records.jsonl").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def two_jobs(lab, script):
    """The words of a run in a guest of two jobs."""
    words = lab.qemu(script)
    words[words.index("--pages") + 1] = "64,8"
    return words


def complete(folder, jobs=1):
    """Check that a result is there and can be read."""
    assert kinds(folder).count("timed") == jobs
    assert not frames.load(folder).frame.empty


# What the guest does when the runner is killed, and what the log has by then
NOTHING = {
    "before the guest says anything": ("import time; time.sleep(300)", ["plan"]),
    "while the kernel boots": ("console('Linux version\\n'); import time; time.sleep(300)", ["plan"]),
    "while interfaces are probed": ("hello(); import time; time.sleep(300)", ["plan"]),
    "in the first job": ("begin(); job(); import time; time.sleep(300)", ["plan", "machine"]),
}


@pytest.mark.parametrize("when", NOTHING)
def test_kill_before_anything_was_measured_leaves_the_name_free(lab, when):
    script, records = NOTHING[when]
    words = lab.qemu(script)
    killed(lab, lab.start(*words), has(lab.name(), *records))
    assert lab.name().is_dir()
    assert "had measured nothing: it is replaced" in one_job(lab)
    complete(lab.name())


def test_kill_before_there_is_a_folder(lab):
    lab.tool("git", "came; exec sleep 300")
    killed(lab, lab.start(*HERE, "--processes", "1", "--name", lab.name()), lab.came.exists)
    assert not lab.name().exists()


@pytest.mark.parametrize("how", ["again", "--resume", "--force"])
def test_kill_after_a_job_leaves_a_result(lab, how):
    one_job(lab)
    if how == "again":
        said = survived(lab.bench(*lab.qemu(HONEST)), 2, "exists")
        assert "--resume" in said
        assert "--force" in said
        complete(lab.name())
    elif how == "--force":
        one_job(lab, "--force")
        complete(lab.name())
    else:
        lab.qemu(HONEST)
        survived(lab.bench("run", "--resume", lab.name()), 0)
        complete(lab.name(), 3)  # the guest's first job was done again, in a boot of its own


def test_kill_while_the_report_is_made_loses_nothing(lab):
    words = (*HERE, "--processes", "2", "--name", lab.name())
    lab.hang_in("scipy")
    killed(lab, lab.start(*words), lab.came.exists)
    del lab.env["PYTHONPATH"]
    complete(lab.name(), 2)


def test_a_guest_that_does_not_boot_is_no_result_and_its_console_stays(lab):
    words = lab.qemu("console('no root file system\\n'); sys.exit(1)")
    survived(lab.bench(*words), 3, "hint: ")
    assert (lab.name() / "guest.log").is_file()
    assert "had measured nothing: it is replaced" in one_job(lab)
    complete(lab.name())


# What lies where a result is to be, made in a folder, and what the error says: with --force, and without
FOREIGN = {
    "a file of one's own": (lambda x: (x.mkdir(), (x / "thesis.tex").touch()), "thesis.tex", "exists"),
    "a checkout": (lambda x: (x / ".git/objects").mkdir(parents=True), ".git/objects", "exists"),
    "a link": (lambda x: x.symlink_to("/etc"), "is no folder", "is no folder"),
    "a link to nothing": (lambda x: x.symlink_to("nothing"), "is no folder", "is no folder"),
    "a file": (lambda x: x.touch(), "is no folder", "is no folder"),
    "a pipe": (os.mkfifo, "is no folder", "is no folder"),
    "a comparison": (lambda x: (x.mkdir(), (x / "compare.txt").touch()), "is no result", "exists"),
}


@pytest.mark.parametrize("force", ["--force", ""], ids=["force", "plain"])
@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_not_ours_is_never_replaced(lab, what, force):
    make, forced, plain = FOREIGN[what]
    make(lab.name())
    before = sorted(lab.results.rglob("[!.]*"))
    words = (*HERE, "--processes", "1", "--name", lab.name(), *([force] if force else []))
    survived(lab.bench(*words), 2, forced if force else plain, "hint: ")
    assert sorted(lab.results.rglob("[!.]*")) == before
    if ".git" in forced:
        shutil.rmtree(lab.name())  # it is hidden, and the lab looks for hidden files


@pytest.mark.parametrize("force", ["--force", ""], ids=["force", "plain"])
@pytest.mark.parametrize("measured", [True, False], ids=["a job is done", "nothing is done"])
def test_a_result_that_is_being_measured_is_left_alone(lab, force, measured):
    words = two_jobs(lab, ONE_JOB if measured else "hello(); import time; time.sleep(300)")
    run = lab.start(*words)
    lab.until(run, has(lab.name(), "timed" if measured else "plan"))
    says = "being measured" if force or not measured else "exists"
    survived(lab.bench(*words, *([force] if force else [])), 2, says)
    assert run.poll() is None
    killed(lab, run, lambda: True)
    assert kinds(lab.name())


def test_force_replaces_nothing_where_the_new_run_can_not_begin(lab):
    one_job(lab)
    words = ("run", "--kernel", lab.folder / "none", *SMALL, "--name", lab.name(), "--force")
    survived(lab.bench(*words), 2)
    survived(lab.bench(*HERE, "--interface", "none", "--interface", "nothing", "--name", lab.name(), "--force"), 2)
    survived(lab.bench("run", "--resume", lab.name(), "--force"), 2, "would change")
    complete(lab.name())


NO_HELLO = {  # how a run with --force ends before its guest said anything: its status, and what it says
    "the kernel panics": ("console('Kernel panic - not syncing: no init\\n'); sys.exit(1)", 3, "panic"),
    "nothing is said": ("sys.exit(1)", 3, "hint: "),
    "Ctrl-C": ("console('Linux version\\n'); import time; time.sleep(300)", 130, "nothing was measured"),
    "a kill": ("console('Linux version\\n'); import time; time.sleep(300)", -9, ""),
}


@pytest.mark.parametrize("how", NO_HELLO)
def test_force_keeps_the_old_result_until_there_is_a_new_one(lab, how):
    script, status, says = NO_HELLO[how]
    one_job(lab)
    before = {path.name: path.read_bytes() for path in lab.name().iterdir()}
    run = lab.start(*two_jobs(lab, script), "--force")
    if status in (130, -9):
        lab.until(run, lab.name(".x.old").exists)
        lab.until(run, has(lab.name(), "plan"))
        lab.until(run, (lab.name() / "guest.log").exists)
        run.send_signal(signal.SIGINT if status == 130 else signal.SIGKILL)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == status, said
    if status == -9:
        said = survived(lab.bench(*two_jobs(lab, script)), 2, "exists")
    assert says in said
    assert "the result that it held is back" in said
    assert [path.name for path in lab.results.iterdir()] == ["x"]
    assert {path.name: path.read_bytes() for path in lab.name().iterdir()} == before


def test_a_folder_that_is_renamed_in_the_middle_keeps_what_is_measured(lab):
    run = lab.start(*HERE, "--processes", "20", "--name", lab.name())
    lab.until(run, has(lab.name(), "timed"))
    lab.name().rename(lab.name("elsewhere"))
    said = run.communicate(timeout=120)
    done = subprocess.CompletedProcess([], run.returncode, *said)
    survived(done, 2, str(lab.name()))
    complete(lab.name("elsewhere"), 20)


@pytest.fixture
def small(lab):
    """A file system of 64 KiB in which results lie."""
    if os.geteuid():
        pytest.skip("only root may mount a file system")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", lab.results], check=True)
    yield lab.results
    subprocess.run(["umount", "--lazy", lab.results], check=True)


def test_a_disk_that_fills_keeps_what_fitted(lab, small):
    done = lab.bench(*HERE, "--processes", "500", "--name", lab.name())
    survived(done, 2, "No space left on device", "hint: what was measured before is in it")
    found = kinds(lab.name()).count("timed")
    assert 5 < found < 500
    complete(lab.name(), found)


def test_results_on_a_file_system_that_is_read_only(lab, small):
    subprocess.run(["mount", "-o", "remount,size=16m", small], check=True)
    words = (*HERE, "--processes", "1", "--name")
    lab.bench(*words, lab.name("a/x"))
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    survived(lab.bench(*words, lab.name("b/x")), 2, "Read-only file system", "hint: ")
    survived(lab.bench(*words, lab.name("a/x"), "--force"), 2, "Read-only")
    assert kinds(lab.name("a/x")).count("timed") == 1


@pytest.mark.parametrize("label", ["cover-letter.txt", "compare.csv", "forest.png", "guest.log", "records.jsonl"])
def test_a_kernel_named_like_a_file_of_the_matrix(lab, label):
    words = ("matrix", "--kernel", "base=debian:6.12", "--kernel", f"{label}=debian:6.12", "--name", lab.name())
    survived(lab.bench(*words), 2, f"a matrix has a file of the name {label}")
    assert not lab.name().exists()


def test_the_cache_of_a_run_that_goes_on_is_not_cleaned(lab):
    lab.env["XDG_CACHE_HOME"] = str(lab.folder / "cache")
    run = lab.start(*lab.qemu(ONE_JOB), "--processes", "1")
    lab.until(run, has(lab.name(), "timed"))
    kept = sorted((lab.folder / "cache").rglob("*"))
    survived(lab.bench("clean"), 2, "stays: a run is going on")
    assert sorted((lab.folder / "cache").rglob("*")) == kept
    killed(lab, run, lambda: True)
    survived(lab.bench("clean"), 0)
    assert not (lab.folder / "cache/pagemap-bench").exists()
