# SPDX-License-Identifier: GPL-2.0-only
"""What labs are given of a result, read as each of them reads it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import kcidb_io
import pytest
import yaml
from click.testing import CliRunner

from bench.plan.records import Failed, Messages
from bench.report import kcidb, labs, outcomes
from bench.run.main import main
from bench.store import frames, verdicts
from bench.store.frames import CASE
from tests import synthetic

LABS = Path(__file__).resolve().parents[2] / "bench" / "labs"
WRONG = {("scan-wp", "random", 1000): (3, 0)}
# What tmt's schema of results says of an item: names of its keys, and the words of `result`
TMT_KEYS = {"name", "result", "note", "log", "duration", "ids", "guest", "context", "check", "subresult"}
TMT_WORDS = {"pass", "fail", "info", "warn", "error", "skip", "pending"}


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    """A result with wrong pages at one point, and without one interface."""
    what = [("random", 1000, 10.0), ("random", 10, 0.5)]
    why = {"uffd-sync": "userfaultfd is <refused> # by $(the) kernel"}
    return synthetic.result(tmp_path_factory.mktemp("timed") / "x", what=what, wrong=WRONG, unavailable=why)


@pytest.fixture(scope="module")
def found(timed):
    return outcomes.of_times(frames.load(timed))


def printed(*words):
    done = CliRunner().invoke(main, ["report", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_each_case_has_its_medians(timed, found):
    rows = frames.intervals(frames.load(timed).frame)
    costs = {one.path[:2]: one for one in found if one.path[-1] == "cost"}
    assert len(costs) == len(rows[CASE].drop_duplicates())
    one = rows[(rows["form"] == "clear_refs") & (rows["pages"] == 1000)]
    median = one.groupby("process")["cost"].median().median()
    assert costs["clear_refs", "random_pages_1000_dirty_10"].value == pytest.approx(1e6 * median)
    assert ("clear_refs", "random_pages_10_dirty_0_5") in costs
    assert {one.unit for one in costs.values()} == {"us"}
    assert {one.state for one in found if one.path[:2] == ("scan-wp", "random_pages_1000_dirty_10")} == {"fail"}
    assert len({one.path for one in found}) == len(found)
    assert [one.state for one in found if one.path == ("uffd-sync",)] == ["skip"]


def test_instructions_are_no_times(tmp_path):
    counted = outcomes.of_times(
        frames.load(synthetic.result(tmp_path / "x", what=[("all", 10, 100.0)], where="tcg-icount"))
    )
    assert {one.unit for one in counted if one.value is not None} == {"instructions"}
    assert all("e" not in one.number for one in counted)


def dump_stat(text):
    """Lines as sbin/dump-stat of lkp-tests reads them."""
    stats = {}
    for line in text.splitlines():
        key, _, value = line.partition(": ")
        assert not re.search(r"[ \t]", key)
        stats.setdefault(key, []).append(float(value))
    return stats


def test_lkp(timed, found):
    stats = dump_stat(printed(timed, "--format", "lkp"))
    assert all(len(values) == 1 for values in stats.values())
    assert stats["scan-wp.random_pages_1000_dirty_10.cost.fail"] == [1]
    assert stats["clear_refs.random_pages_1000_dirty_10.cost.pass"] == [1]
    assert stats["uffd-sync.skip"] == [1]
    numbers = {key: value for key, (value,) in stats.items() if key.endswith(".us")}
    assert len(numbers) == sum(one.value is not None for one in found)
    for one in found:
        if one.value is not None:
            assert numbers[".".join((*one.path, "us"))] == pytest.approx(one.value, abs=1e-6)


def test_lkp_program(timed, tmp_path):
    """What `run` prints besides is not parsed; its options are those that meta.yaml has."""
    program = LABS / "lkp" / "programs" / "pagemap-bench"
    meta = yaml.safe_load((program / "meta.yaml").read_text())
    run = (program / "run").read_text()
    assert re.findall(r"^# - (\w+)$", run, re.MULTILINE) == list(meta["parameters"])
    job = yaml.safe_load((LABS / "lkp/jobs/pagemap-bench.yaml").read_text())
    assert set(job["pagemap-bench"]) <= set(meta["parameters"])
    source, root = tmp_path / "lkp", tmp_path / "lkp" / "benchmarks" / "pagemap-bench"
    (source / "lib").mkdir(parents=True)
    root.mkdir(parents=True)
    (source / "lib/debug.sh").write_text('die() { echo "$*" >&2; exit 99; }\n')
    (source / "lib/reproduce-log.sh").write_text('log_cmd() { "$@"; }\n')
    stand_in(root / "bench.py", printed(timed, "--format", "lkp"))
    lab = {"suite": "pagemap-bench", "testcase": "pagemap-bench", "category": "benchmark"}  # what a job exports besides
    variables = lab | {"LKP_SRC": source, "BENCHMARK_ROOT": root.parent, "TMP": tmp_path, "filter": "* x"}
    assert "run --where here --suite meaning --name" in ran([program / "run"], variables | {"test": "meaning"}).stdout
    done = ran([program / "run"], variables)
    assert "run --where here --suite quick --name" in done.stdout
    assert "--filter * x" in done.stdout
    parsed = subprocess.run([program / "parse"], input=done.stdout, text=True, capture_output=True, check=True)
    assert parsed.stdout == printed(timed, "--format", "lkp")


FIXTURES = sorted((LABS / "lkp/spec/fixtures/stats/pagemap-bench").glob("*.yaml"))


@pytest.mark.parametrize("stats", FIXTURES, ids=lambda path: path.stem)
def test_lkp_fixtures(stats):
    """What `run` printed, and what `parse` makes of it: compared as spec/unit/lib/stats_spec.rb of lkp-tests does."""
    raw = stats.with_suffix("").read_bytes()
    parse = LABS / "lkp/programs/pagemap-bench/parse"
    parsed = subprocess.run([parse], input=raw, capture_output=True, check=True).stdout.decode()
    assert parsed.rstrip("\n") == stats.read_text().rstrip("\n")
    ends = {*STATES["lkp"].values(), "us"}
    for key, (value,) in dump_stat(parsed).items():
        name, _, end = key.rpartition(".")
        assert end in ends
        assert end == "us" or value == 1
        assert end != "us" or name.rpartition(".")[2] in outcomes.MEASURES
    assert {f"{outcomes.BOOTS}.pass", f"{outcomes.KERNEL_LOG}.pass"} <= dump_stat(parsed).keys()


def test_lkp_has_fixtures_of_times_and_of_verdicts():
    """And the job, its program and its parameters don't take a name of lkp-tests' own."""
    texts = [path.read_text() for path in FIXTURES]
    assert [".cost.us: " in text for text in texts] == [True, False]
    job = yaml.safe_load((LABS / "lkp/jobs/pagemap-bench.yaml").read_text())
    meta = yaml.safe_load((LABS / "lkp/programs/pagemap-bench/meta.yaml").read_text())
    assert not job.keys() & meta["parameters"].keys(), "each key of a job is a variable of what it runs"


def test_lava(timed, tmp_path, found):
    """The steps of the definition, as LAVA makes a script of them, with a stand-in for its command."""
    definition = yaml.safe_load((LABS / "lava/pagemap-bench.yaml").read_text())
    assert definition["metadata"]["format"] == "Lava-Test Test Definition 1.0"
    assert {"name", "description"} <= definition["metadata"].keys()
    stand_in(tmp_path / "bench.py", printed(timed, "--format", "lava"), status=1)
    shell(tmp_path / "bin/make", "true")
    shell(tmp_path / "bin/lava-test-case", 'printf "%s|" "$@" >>"$CALLS"; echo >>"$CALLS"')
    steps = "set -e\n" + "\n".join(definition["run"]["steps"])
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    variables = definition["params"] | {"CALLS": tmp_path / "calls", "PATH": path, "DIRECTORY": tmp_path}
    ran(["sh", "-c", steps], variables)
    calls = [line.rstrip("|").split("|") for line in (tmp_path / "calls").read_text().splitlines()]
    assert len(calls) == len(found)
    for name, *words in calls:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+", name)
        options = dict(zip(words[::2], words[1::2], strict=True))
        assert options.pop("--result") in ("pass", "fail", "skip")
        assert options.keys() in ({"--measurement", "--units"}, set())
        float(options.get("--measurement", 0))


def test_lava_job_names_the_definition():
    job = yaml.safe_load((LABS / "lava/job.yaml").read_text())
    (test,) = [one["test"] for one in job["actions"] if "test" in one]
    assert {key.split("_")[-1] for key in job["timeouts"]} == {"job", "action"}
    assert (LABS.parents[1] / test["definitions"][0]["path"]).is_file()


def test_tmt(timed, tmp_path, found):
    test = yaml.safe_load((LABS / "tmt/measure.fmf").read_text())
    assert test["result"] == "custom"
    stand_in(tmp_path / "bench.py", printed(timed, "--format", "tmt"), status=1)
    shell(tmp_path / "bin/make", "true")
    data = tmp_path / "data"
    data.mkdir()
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    ran([LABS / "tmt" / test["test"]], test["environment"] | {"TMT_TEST_DATA": data, "BENCH": tmp_path, "PATH": path})
    results = json.loads((data / "results.json").read_text())
    assert len(results) == len(found)
    for one in results:
        assert one.keys() <= TMT_KEYS
        assert one["name"].startswith("/")
        assert one["result"] in TMT_WORDS
        assert all(isinstance(note, str) for note in one["note"])


def test_kcidb_has_numbers(timed, found):
    document = json.loads(printed(timed, "--format", "kcidb"))
    kcidb_io.schema.LATEST.validate(document)
    tests = {one["path"]: one for one in document["tests"]}
    assert len(tests) == len(document["tests"]) == len(found)
    for one in found:
        test = tests[".".join((kcidb.TREE, *one.path))]
        assert test.get("number") == ({"value": one.value, "unit": "us"} if one.value is not None else None)
        word = {"pass": "PASS", "fail": "FAIL", "skip": "SKIP"}[one.state]
        assert test["status"] == ("DONE" if word == "PASS" and one.value is not None else word)
    assert json.loads(printed(timed, "--format", "kcidb", "--build", "ourci:1")).keys() == {"version", "tests"}


STATES = {  # of outcomes, in each lab's words
    "lkp": {"fail": "fail", "error": "error", "pass": "pass", "skip": "skip"},
    "lava": {"fail": "fail", "error": "fail", "pass": "pass", "skip": "skip"},
    "tmt": {"fail": "fail", "error": "error", "pass": "pass", "skip": "skip"},
    "kcidb": {"fail": "FAIL", "error": "ERROR", "pass": "PASS", "skip": "SKIP"},
}


def states(folder, form):
    """What a lab is told of each outcome that is no number, by name."""
    text = printed(folder, "--format", form)
    if form == "lkp":
        return dict(key.rsplit(".", 1) for key in dump_stat(text))
    if form == "lava":
        return {words[1]: words[3] for words in map(str.split, text.splitlines())}
    if form == "tmt":
        return {one["name"].strip("/").replace("/", "."): one["result"] for one in json.loads(text)}
    return {one["path"].removeprefix(f"{kcidb.TREE}."): one["status"] for one in json.loads(text)["tests"]}


@pytest.mark.parametrize("form", STATES)
def test_what_is_of_no_case_is_seen_in_each_form(tmp_path, form):
    """Boots that fell, jobs that failed and what the kernel said are tests of their own, whether they pass or not."""
    words, names = STATES[form], (outcomes.BOOTS, outcomes.JOBS, outcomes.KERNEL_LOG)
    what = [("all", 10, 100.0)]
    lost = [Failed(0, "all 10 pages", "it was stopped"), Failed(1, "", "the guest panicked")]
    warned = Messages(0, {"WARNING": 1}, ["[ 1.0] WARNING: CPU: 0 PID: 1 at mm/x.c:1"])
    for some, planned, found in (
        ([], 6, ("pass", "pass", "skip")),
        ([Messages(0, {}, [])], 6, ("pass", "pass", "pass")),
        ([Messages(0, {}, [], "no permission")], 6, ("pass", "pass", "skip")),
        ([Messages(0, {}, [], "", 5000)], 6, ("pass", "pass", "error")),
        ([*lost, warned], 10, ("error", "error", "fail")),
    ):
        folder = synthetic.result(tmp_path / f"{len(some)}-{planned}", what=what, planned=planned, messages=some)
        seen = states(folder, form)
        assert [seen[name] for name in names] == [words[one] for one in found]
        shutil.rmtree(folder)
    folder = synthetic.played(tmp_path / "x", messages=[*lost[1:], warned])
    seen = states(folder, form)
    assert [seen[name] for name in (outcomes.BOOTS, outcomes.KERNEL_LOG)] == [words["error"], words["fail"]]
    shutil.rmtree(folder)
    seen = states(synthetic.played(folder, messages=[Messages(0, {}, [], "", 5000)]), form)
    assert seen[outcomes.KERNEL_LOG] == words["pass"], "verdicts have no times"


def test_a_complaint_that_the_baseline_has_too_is_expected(tmp_path):
    def made(name, count):
        warned = Messages(0, {"WARNING": count}, ["[ 1.0] WARNING: x"])
        return verdicts.load(synthetic.played(tmp_path / name, messages=[warned]))

    base, same, more = made("base", 1), made("same", 1), made("more", 2)
    assert [outcomes.of_kernel(one, base)[1].state for one in (same, more)] == ["xfail", "fail"]
    said = json.loads(kcidb.document(same, base))["tests"][-1]
    assert (said["status"], said["misc"]) == ("FAIL", {"state": "xfail"}), "KCIDB has no word for what is expected"


def test_verdicts(tmp_path):
    """Each lab gets the verdicts, and with a baseline only what is worse fails."""
    folder = synthetic.played(tmp_path / "x", findings={"scan-wp": "it missed a page"})
    bad = "fork_child_writes.scan-wp"
    stats = dump_stat(printed(folder, "--format", "lkp"))
    assert stats[f"{bad}.fail"] == stats["plain.clear_refs.pass"] == stats["probe.fail"] == [1]
    kinds = {
        tuple(line.split()[1:4:2]) for line in printed(folder, "--format", "lava", "--baseline", folder).splitlines()
    }
    assert (bad, "pass") in kinds
    assert {kind for _, kind in kinds} == {"pass", "skip"}
    known = {one["name"]: one["result"] for one in json.loads(printed(folder, "--format", "tmt", "--baseline", folder))}
    assert known["/fork_child_writes/scan-wp"] == "info"
    assert labs.lava(outcomes.of_verdicts(verdicts.load(folder))).count("--result fail") == 4


def stand_in(path, text, status=0):
    """A bench.py that says what it was asked, and reports `text`."""
    (path.parent / "text").write_text(text)
    shell(path, f'case $1 in report) cat {path.parent}/text ;; *) echo "$*"; exit {status} ;; esac')


def shell(path, body):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def ran(command, variables):
    environment = os.environ | {key: str(value) for key, value in variables.items()}
    done = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done
