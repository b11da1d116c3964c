# SPDX-License-Identifier: GPL-2.0-only
"""The regression watch: a stand-in tree of three commits, measured by a stand-in for the suite."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WATCH = Path(__file__).resolve().parents[2] / "bench" / "labs" / "watch"
# Notes how it was called, makes what matrix makes of a result, and ends as it is told
BENCH = """#!/bin/sh
echo "$*" >>"$CALLS"
while test $# -gt 0; do
	case $1 in --name | --resume) result=$2 ;; --suite) suite=$2 ;; esac
	shift
done
mkdir -p "$result/good"
test -e "$result/good/records.jsonl" || printf '{"type":"plan","suite":"%s"}\\n' "$suite" >"$result/good/records.jsonl"
echo "Benchmark results" >"$result/cover-letter.txt"
test "$STATUS" = 0 || printf 'error: 2 reasons to fail:\\n  scan-wp is slower\\n  and so on\\nhint: look\\n' >&2
exit "$STATUS"
"""

# Says that it has begun, and waits for TERM; then it ends in order, or does not
WAITING = f"""#!{sys.executable}
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
with open(os.environ["BEGUN"], "w") as begun:
    begun.write(str(os.getpid()))
signal.sigtimedwait([signal.SIGTERM], 60)
if os.environ["STATUS"] == "stays":
    signal.sigtimedwait([signal.SIGUSR1], 60)
with open(os.environ["CALLS"], "a") as calls:
    calls.write("ended in order")
raise SystemExit(143)
"""


@pytest.fixture
def tree(tmp_path):
    """A tree of three commits, the second of which is about memory; its first commit was good."""
    path = tmp_path / "linux"
    git(tmp_path, "init", "-q", "-b", "main", str(path))
    for name in ("README", "mm/mmap.c", "fs/ext4.c"):
        file = path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(name)
        git(path, "add", ".")
        git(path, "commit", "-q", "-m", f"{name}: change it")
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch/good").write_text(git(path, "rev-parse", "main~2"))
    (tmp_path / "bench.py").write_text(BENCH)
    (tmp_path / "bench.py").chmod(0o755)
    return path


def git(where, *words):
    names = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    return subprocess.run(["git", *names, *words], cwd=where, check=True, capture_output=True, text=True).stdout


def call(tree, status, *words, revision="main", **variables):
    """The command, and its environment."""
    (tree.parent / "calls").write_text("")
    variables = {"BENCH": tree.parent / "bench.py", "CALLS": tree.parent / "calls", "STATUS": status} | variables
    command = [WATCH / "watch", tree, revision, tree.parent / "watch", *words]
    return command, os.environ | {key: str(value) for key, value in variables.items()}


def watched(tree, status, *words, **more):
    """Run it; return its exit status, what it said, and the new calls of the suite."""
    command, environment = call(tree, status, *words, **more)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr, (tree.parent / "calls").read_text().splitlines()


def test_a_good_commit_is_the_next_base(tree):
    good, new = (git(tree, "rev-parse", name).strip() for name in ("main~2", "main"))
    status, _, calls = watched(tree, 0, "--suite", "quick")
    assert status == 0
    assert (tree.parent / "watch/good").read_text().strip() == new
    (call,) = calls
    assert call.startswith(f"matrix --kernel good={tree}@{good} --kernel new={tree}@{new} ")
    assert "--accel icount" in call
    assert call.endswith(" --suite quick --fail-on 1%")
    assert watched(tree, 0) == (0, f"nothing new since {new}\n", []), "it was measured, and nothing is left to do"


def test_a_regression_is_written_and_not_forgotten(tree):
    new = git(tree, "rev-parse", "main").strip()
    folder, good = tree.parent / "watch", (tree.parent / "watch/good").read_text()
    status, said, _ = watched(tree, 1)
    assert status == 1
    assert f"{folder}/regression.txt" in said
    assert (folder / "good").read_text() == good
    text = (folder / "regression.txt").read_text()
    assert text.startswith("Subject: [REGRESSION] ")
    for words in (
        "scan-wp is slower",
        "Commits between them: 2; those to mm/, fs/proc/task_mmu.c and fs/userfaultfd.c:\n",
        '("mm/mmap.c: change it")',
        "Benchmark results",
        "git bisect start",
    ):
        assert words in text
    assert "hint:" not in text
    assert "ext4" not in text
    assert not re.search(r"^(---( |$)|diff -|Index:|#)", text, re.MULTILINE), "git mailinfo would cut there"
    status, _, (call,) = watched(tree, 0)
    assert call.startswith(f"matrix --resume {folder}/{new[:12]}"), "who was interrupted goes on"
    assert status == 0
    assert not (folder / "regression.txt").exists(), "it is gone"


@pytest.mark.parametrize("words", [("--fail-on", "3%"), ("--fail-on=3%",)])
def test_a_limit_holds_from_the_first_boot_to_the_bisection(tree, words):
    """What a matrix that goes on can't be told is what it was begun with."""
    _, _, (begun,) = watched(tree, 1, "--suite", "kinds", *words, "--quiet", "--progress", "none")
    assert " --suite kinds " in begun
    _, _, (went_on,) = watched(tree, 1, "--suite", "kinds", *words, "--quiet", "--progress", "none")
    assert "--resume" in went_on
    assert "--suite" not in went_on
    for call in (begun, went_on):
        assert call.endswith(" --fail-on 3% --quiet --progress=none")
        assert call.count("--fail-on") == 1
    assert "good --fail-on 3%\n" in (tree.parent / "watch/regression.txt").read_text()


@pytest.mark.parametrize("words", [("--fail-on", "broken"), ()])
def test_verdicts_are_nothing_to_bisect_by(tree, words):
    _, _, (call,) = watched(tree, 1, "--suite", "meaning", *words)
    assert call.endswith(" ".join(words or ("--fail-on", "1%")))
    assert "git bisect" not in (tree.parent / "watch/regression.txt").read_text()


def test_a_limit_that_is_missing_is_said(tree):
    status, said, calls = watched(tree, 0, "--suite", "quick", "--fail-on")
    assert (status, calls) == (2, [])
    assert "--fail-on needs a value\nhint: " in said


def test_what_was_killed_before_it_measured_begins_anew(tree):
    new, good = (
        git(tree, "rev-parse", one).strip() for one in ("main", (tree.parent / "watch/good").read_text().strip())
    )
    (tree.parent / "watch" / f"{new[:12]}-on-{good[:12]}" / "good").mkdir(parents=True)
    status, _, (call,) = watched(tree, 0)
    assert status == 0
    assert call.startswith("matrix --kernel")


def test_who_writes_a_newer_good_commit_has_it_measured_against_that(tree):
    assert watched(tree, 1)[0] == 1
    good = git(tree, "rev-parse", "main~1").strip()
    (tree.parent / "watch/good").write_text(f"{good}\n")
    status, _, calls = watched(tree, 0)
    assert status == 0
    assert calls[-1].startswith("matrix --kernel good=")
    assert f"@{good}" in calls[-1]


def test_no_verdict_changes_nothing(tree):
    before = (tree.parent / "watch/good").read_text()
    assert watched(tree, 3)[0] == 3
    assert (tree.parent / "watch/good").read_text() == before
    assert not (tree.parent / "watch/regression.txt").exists()
    assert "scan-wp is slower" in (tree.parent / "watch/why.txt").read_text()


def interrupted(tree, number, status, **variables):
    """Send it a signal while the suite measures; return its exit status, and the suite's process."""
    (tree.parent / "bench.py").write_text(WAITING)
    os.mkfifo(tree.parent / "begun")
    command, environment = call(tree, status, BEGUN=tree.parent / "begun", **variables)
    command = ["env", "--default-signal", *command]  # a shell has pytest ignore SIGINT in the background
    ours = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        measuring = int((tree.parent / "begun").read_text())  # pytest has a limit of its own
        ours.send_signal(number)
        return ours.wait(30), measuring
    finally:
        ours.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_who_ends_it_ends_what_measures_and_in_order(tree, number):
    status, measuring = interrupted(tree, number, 0)
    assert (status, (tree.parent / "calls").read_text()) == (128 + number, "ended in order")
    with pytest.raises(ProcessLookupError):
        os.kill(measuring, 0)
    assert not (tree.parent / "watch/regression.txt").exists()


def test_what_does_not_end_is_killed(tree):
    status, measuring = interrupted(tree, signal.SIGTERM, "stays", PATIENCE=1)
    assert (status, (tree.parent / "calls").read_text()) == (128 + signal.SIGTERM, "")
    with pytest.raises(ProcessLookupError):
        os.kill(measuring, 0)


NO_VERDICT = {
    "there is no .*cover-letter.txt": BENCH.replace("$result/cover-letter.txt", "/dev/null"),
    "said no reason": BENCH.replace("error: 2", "Traceback: 2"),
    "can't be executed": BENCH.replace('exit "$STATUS"', "exit 126"),
    "failed, with status 1": BENCH.replace('exit "$STATUS"', 'rm "$result/../why.txt"; exit 1'),
}


@pytest.mark.parametrize("says", NO_VERDICT)
def test_only_a_verdict_says_that_something_is_worse(tree, says):
    """What fails otherwise, in here or in the suite, is said, and is no exit status 1."""
    folder = tree.parent / "watch"
    (tree.parent / "bench.py").write_text(NO_VERDICT[says])
    status, said, _ = watched(tree, 1)
    assert status == 3
    assert re.search(f"^error: .*{says}.*\nhint: ", said, re.MULTILINE), said
    assert {path.name for path in folder.glob("*.*")} <= {"why.txt"}, "nothing half-written is left"


@pytest.mark.parametrize("bench", ["/no/such/bench.py", "no-such-command", __file__])
def test_a_suite_that_is_not_there_is_said(tree, bench):
    status, said, _ = watched(tree, 0, BENCH=bench)
    assert status == 2
    assert f"error: {bench} is missing, or can't be executed\nhint: BENCH=" in said


def test_reasons_come_out_of_json(tree):
    said = {"event": "error", "text": '2 reasons:\n  "scan-wp" is \u00b13 % slower', "hint": "look", "status": 1}
    (tree.parent / "why.json").write_text(f"{json.dumps({'event': 'note', 'text': 'error: no'})}\n{json.dumps(said)}\n")
    text = BENCH.replace("printf 'error:", f"cat '{tree.parent}/why.json' >&2; exit 1; printf '")
    (tree.parent / "bench.py").write_text(text)
    assert watched(tree, 1, "--progress", "json")[0] == 1
    assert f"\n\n{said['text']}\n\nCommits" in (tree.parent / "watch/regression.txt").read_text(encoding="utf-8")


def test_what_cannot_be_is_refused(tree):
    assert "no-such is no commit of" in (said := watched(tree, 0, revision="no-such"))[1]
    assert said[0] == 2
    (tree.parent / "watch/good").write_text("v9.9")
    assert "names no commit" in watched(tree, 0)[1]
    (tree.parent / "watch/good").unlink()
    status, said, calls = watched(tree, 0)
    assert (status, calls) == (2, [])
    assert "good is missing" in said
    assert "hint: git -C" in said


def test_a_night_is_set_up_as_the_readme_says(tree):
    """Its lines, in a home that has nothing but a tree."""
    home = tree.parent / "home"
    (home / "bin").mkdir(parents=True)
    tree.rename(home / "linux")
    git(home / "linux", "tag", "v7.3")
    for name in ("systemctl", "loginctl"):
        (home / "bin" / name).write_text('#!/bin/sh\necho "${0##*/} $*" >>~/said\n')
        (home / "bin" / name).chmod(0o755)
    (lines,) = re.findall(
        r"^```\n(mkdir ~/pagemap-watch.*?)^```", (WATCH.parent / "README.md").read_text(), re.M | re.S
    )
    environment = os.environ | {"HOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}"}
    subprocess.run(["sh", "-ec", lines], cwd=WATCH.parents[2], env=environment, check=True, timeout=60)
    units = {path.name for path in (home / ".config/systemd/user").iterdir()}
    assert units == {path.name for path in WATCH.glob("pagemap-watch.*")}
    said = (home / "said").read_text()
    assert "systemctl --user enable --now pagemap-watch.timer\n" in said
    assert "loginctl enable-linger\n" in said, "else it ends with the session"


def test_units_call_it_as_it_is():
    service = (WATCH / "pagemap-watch.service").read_text()
    (call,) = re.findall(r"^ExecStart=%h/pagemap-bench/(\S+) \S+ \S+ \S+$", service, re.MULTILINE)
    assert (WATCH.parents[2] / call).samefile(WATCH / "watch")
    help_ = subprocess.run([WATCH / "watch", "--help"], capture_output=True, text=True, timeout=60)
    assert help_.returncode == 0
    assert help_.stdout.startswith("usage: watch TREE REVISION FOLDER")
