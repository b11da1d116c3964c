# SPDX-License-Identifier: GPL-2.0-only
"""The regression watch: a stand-in tree of three commits, measured by a stand-in for the suite."""

import os
import re
import subprocess
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


def watched(tree, status, *words, revision="main"):
    """Run it; return its exit status, what it said, and the new calls of the suite."""
    calls = tree.parent / "calls"
    calls.write_text("")
    variables = {"BENCH": tree.parent / "bench.py", "CALLS": calls, "STATUS": status}
    command = [WATCH / "watch", tree, revision, tree.parent / "watch", *words]
    environment = os.environ | {key: str(value) for key, value in variables.items()}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr, calls.read_text().splitlines()


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
