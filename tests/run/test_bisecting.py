# SPDX-License-Identifier: GPL-2.0-only
"""`git bisect run ./bench.py bisect`: finds the commit that made it slow, past one that does not build and one that
panics, in a tree that builds in a moment."""

import os
import subprocess
import sys

import pytest

from bench.plan import kconfig
from bench.run import campaign
from bench.run.bisecting import SKIP, STOP
from bench.run.share import Part
from bench.store import frames
from tests.run import bisected
from tests.run.scripted import PLAN
from tests.support import ROOT, bench
from tests.vm.images import commit, git, make_tree


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def tree(tmp_path):
    """A tree whose first commit was measured as `good`."""
    tree = make_tree(tmp_path / "linux", kconfig.fragment(kconfig.of_interfaces([])))
    command = f"./bench.py run --where vm --kernel {tree}@HEAD --accel icount"
    plan = PLAN._replace(boots=5, processes=5, where="vm", kernel=f"{tree}@HEAD", command=command, counted=True)
    (tmp_path / "good").mkdir()
    campaign.measure(Part(plan, bisected.site_of(plan), tmp_path / "good"))
    return tree


def bisect(tree, *words):
    """Run the command in the tree, as git bisect run does."""
    command = [sys.executable, "-m", "tests.run.bisected", "bisect", str(tree.parent / "good"), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_git_finds_the_planted_commit(tree):
    good = git(tree, "rev-parse", "HEAD")
    commit(tree, b="two")
    commit(tree, b="broken")
    commit(tree, b="panics")
    commit(tree, b="three")
    planted = commit(tree, a="slow")
    commit(tree, b="four")
    git(tree, "bisect", "start", "HEAD", good)
    words = [sys.executable, "-m", "tests.run.bisected", "bisect", str(tree.parent / "good"), "--fail-on", "5%"]
    done = subprocess.run(
        ["git", "bisect", "run", *words],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert f"{planted} is the first bad commit" in done.stdout
    measured = sorted(path.name for path in (tree.parent / "good-bisect").iterdir())
    assert planted[:12] in measured
    command = frames.load(tree.parent / "good-bisect" / planted[:12]).host["command"]
    assert command == f"./bench.py run --where vm --accel icount --kernel {tree}@{planted}"


@pytest.mark.parametrize(
    ("source", "status", "says"),
    [
        ("fine", 0, "nothing is worse"),
        ("slow", 1, "the comparison above shows each case"),
        ("broken", SKIP, "does not build"),
        ("panics", SKIP, "the guest's kernel crashed"),
    ],
)
def test_each_commit_has_its_status(tree, source, status, says):
    commit(tree, a=source)
    for _ in range(2):  # what was measured before counts too
        done = bisect(tree, "--fail-on", "5%")
        assert done.returncode == status, done.stderr
        assert says in done.stderr + done.stdout
        assert "Traceback" not in done.stderr


def test_a_small_change_is_good_and_another_metric_may_tell(tree):
    commit(tree, a="slow")
    assert bisect(tree, "--fail-on", "500%").returncode == 0
    assert bisect(tree, "--fail-on", "5%", "--metric", "reset").returncode == 0
    assert bisect(tree, "--fail-on", "5%", "--metric", "collect").returncode == 1


def test_too_few_boots_of_the_good_commit_are_not_the_fault_of_others(tree):
    good = tree.parent / "good"
    lines = (good / "records.jsonl").read_text().splitlines()
    (good / "records.jsonl").write_text("".join(f"{line}\n" for line in lines if '"boot":4' not in line))
    done = bisect(tree, "--fail-on", "5%")
    assert done.returncode == STOP
    assert "good has too few boots for a verdict: it takes 5" in done.stderr
    assert f"hint: ./bench.py run --resume {good} --boots +5\n" in done.stderr


def test_what_has_nothing_to_do_with_the_commit_ends_the_bisection(tree, tmp_path):
    (tree / ".config").write_text("CONFIG_64BIT=y\n")
    commit(tree, a="two")
    done = bisect(tree, "--fail-on", "5%")
    assert done.returncode == STOP
    assert "could not be booted here" in done.stderr
    for folder, name in ((tree, "nothing-of-this-name"), (tmp_path, tmp_path / "good"), (tree, "example-lkml-2022")):
        done = bench("bisect", name, "--fail-on", "5%", cwd=folder)
        assert done.returncode == STOP, done.stderr
        assert done.stderr.splitlines()[-1].startswith("hint: ")
    for words in (["--fail-on", "much"], [], ["--what"]):
        assert bench("bisect", "x", *words).returncode == STOP
