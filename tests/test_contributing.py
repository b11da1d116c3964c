# SPDX-License-Identifier: GPL-2.0-only
"""What CONTRIBUTING.md says to do works: its examples, dropped into a copy of the tree, and its lists."""

import inspect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.measure.stage import Stage
from tests.test_rooms import ARROWS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
EXAMPLES = dict(re.findall(r"`([\w/.]+)`:\n```\w+\n(.*?)```", PAGE, re.DOTALL))
TABLE, END = "bench/plan/interfaces.py", "\n    )\n}\n"
WORKLOAD, SCENARIO, INTERFACE, PLOT = "backwards", "read_beside", "uffd-scan", "reached"
LEFT_OUT = shutil.ignore_patterns(".*", "results", "__pycache__", "*.so", "*.o", "_core.c")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the project with the examples in it, and its core compiled with them."""
    tree = tmp_path_factory.mktemp("copy") / "tree"
    shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
    for path, text in EXAMPLES.items():
        if path == TABLE:
            table = (tree / path).read_text()
            assert table.count(END) == 1
            (tree / path).write_text(table.replace(END, f"\n{text}{END[1:]}"))
        else:
            assert not (tree / path).exists(), f"{path} is an example no more"
            (tree / path).write_text(text)
    python(tree, "-m", "bench.core.build")
    return tree


def python(tree, *words, status=0):
    done = subprocess.run([sys.executable, *words], cwd=tree, capture_output=True, text=True, timeout=300)
    assert done.returncode == status, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def why_not(tree):
    """Why the example of an interface does not work on this kernel."""
    return json.loads(python(tree, "bench.py", "probe", "--json"))["interfaces"][INTERFACE]


def test_there_is_an_example_of_each():
    folders = sorted(path.rpartition("/")[0] for path in EXAMPLES)
    assert folders == ["bench/core/interfaces", "bench/plan", "plots", "workloads", "workloads"]


def test_what_was_dropped_in_is_listed(tree):
    listed = python(tree, "bench.py", "list")
    for name in (WORKLOAD, INTERFACE):
        assert re.search(rf"^  {name} ", listed, re.MULTILINE), listed
    for path, text in EXAMPLES.items():
        if path.startswith("workloads/"):
            assert text.split('"""')[1].partition("\n")[0][:40] in " ".join(listed.split())


def test_the_examples_are_measured_and_drawn(tree):
    works = not why_not(tree)
    interface = ["--interface", INTERFACE] if works else []
    words = ["--workload", WORKLOAD, "--pages", "64", "--processes", "3", "--values", "2", "--where", "here"]
    python(tree, "bench.py", "run", *words, *interface, "--name", "measured", status=0)
    rows = python(tree, "bench.py", "report", "measured", "--format", "csv")
    assert WORKLOAD in rows
    if works:
        header, *lines = [line.split(",") for line in rows.splitlines()]
        mine = [dict(zip(header, line, strict=False)) for line in lines if INTERFACE in line]
        assert mine
        assert {(row["extra"], row["missed"]) for row in mine} == {("0", "0")}
    assert (tree / f"results/measured/{PLOT}.png").stat().st_size > 5000


def test_the_scenario_is_played_and_exact(tree):
    words = ["--suite", "meaning", "--filter", SCENARIO, "--values", "2", "--where", "here", "--name", "played"]
    python(tree, "bench.py", "run", *words)
    ktap = python(tree, "bench.py", "report", "played", "--format", "ktap")
    assert re.search(rf"^ok \d+ .*{SCENARIO}", ktap, re.MULTILINE), ktap
    assert why_not(tree) or re.search(rf"ok \d+ {INTERFACE}$", ktap, re.MULTILINE), ktap


def test_the_example_in_c_compiles_without_a_warning_and_is_formatted(tree):
    strict = re.search(r"-std=\S+ .*-Werror", (ROOT / "Makefile").read_text())[0].split()
    (source,) = [path for path in EXAMPLES if path.endswith(".c")]
    shutil.copy(ROOT / ".clang-format", tree)
    formatter = [Path(sys.executable).with_name("clang-format"), "--dry-run", "-Werror", source]
    for command in (["cc", *strict, "-c", source, "-o", "/dev/null"], formatter):
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_the_examples_are_in_the_style_of_the_rest(tree):
    files = [path for path in EXAMPLES if path.endswith(".py")]
    for words in (["check"], ["format", "--check", "--diff"]):
        python(tree, "-m", "ruff", *words, *files)


@pytest.mark.parametrize(
    "tests",
    [
        ["tests/test_rooms.py", "tests/test_workloads.py"],
        ["tests/measure/test_interfaces.py", "tests/plots", "-k", f"{INTERFACE} or {WORKLOAD} or {PLOT}"],
    ],
    ids=" ".join,
)
def test_the_suite_stays_green(tree, tests):
    """With a new workload, scenario, interface and plot: tests take from tables what these say."""
    said = python(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", *tests)
    assert re.search(r"\d+ passed", said)


def test_the_vocabulary_of_a_scenario_is_complete():
    section = PAGE[PAGE.index("What a play may use") : PAGE.index("## An interface")]
    said = set(re.findall(r"`(\w+)`", section[section.index("- memory") :]))
    public = {name for name, _ in inspect.getmembers(Stage, inspect.isfunction) if not name.startswith("_")}
    internal = {"close", "verdict"}  # for who plays it
    assert public - said == internal, "say in CONTRIBUTING.md what a scenario may use"
    assert said <= public
    used = {
        name for path in (ROOT / "workloads").glob("*.py") for name in re.findall(r"\bstage\.(\w+)\(", path.read_text())
    }
    assert used <= said, "a scenario uses what is not for it"


def test_the_table_of_rooms_is_true():
    rows = re.findall(r"^\| `(?:bench/)?(\w+)` \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE)
    said = {room: set() if text == "-" else set(text.split(", ")) for room, text in rows}
    everything = said["run"] == {"all of them"}
    assert everything
    assert {room: names for room, names in said.items() if room != "run"} == {
        room: names for room, names in ARROWS.items() if room not in ("run", "bench.py")
    }


def test_what_the_page_names_is_there():
    for name in re.findall(r"`((?:bench|tests|plots|workloads|requirements)[\w/.-]*)`", PAGE):
        assert (ROOT / name).exists() or name in EXAMPLES, name
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([\w-]+)", PAGE)) <= targets
