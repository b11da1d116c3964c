# SPDX-License-Identifier: GPL-2.0-only
"""./bench.py as a person uses it: what it prints, what it writes, how it fails."""

import io
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas
import psutil
import pyperf
import pytest

from bench import results
from tests import synthetic
from tests.live.conftest import working
from tests.test_tables import assert_mailable

ROOT = Path(__file__).resolve().parents[1]


def bench(*words, **options):
    return subprocess.run(
        [str(ROOT / "bench.py"), *map(str, words)], capture_output=True, text=True, timeout=300, **options
    )


def refused(*words, status=2, **options):
    """Run a command that must fail; return its error and hint."""
    done = bench(*words, **options)
    assert done.returncode == status, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1
    assert lines[-1].startswith("hint: ")
    return errors[0] + "\n" + lines[-1]


SMALL = ["--pages", "64", "--processes", "2", "--values", "2", "--where", "here"]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A small run on the running kernel: (folder, what was printed)."""
    working("scan-wp")
    folder = tmp_path_factory.mktemp("results") / "small"
    done = bench("run", *SMALL, "--dirty", "10,50", "--name", folder, "--seed", 9)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_help_has_an_example_for_every_command():
    commands = [line.split()[0] for line in bench("--help").stdout.split("Commands:")[1].splitlines() if line.strip()]
    for name in ("probe", "list", "run", "report", "compare", "cover-letter"):
        assert name in commands
        text = bench(name, "--help").stdout
        assert re.search(rf"Example:\n    .*bench\.py {name}", text)


def test_it_runs_without_activating_anything_and_from_anywhere(tmp_path):
    done = subprocess.run(
        ["/usr/bin/env", "python3", str(ROOT / "bench.py"), "--version"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pagemap-bench, version ")


def test_without_setup_it_says_so(tmp_path):
    shutil.copy(ROOT / "bench.py", tmp_path)
    done = subprocess.run([sys.executable, "-S", "bench.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[1] == "hint: run: make setup"


def test_probe_says_yes_or_why_not():
    done = bench("probe", "--json")
    found = json.loads(done.stdout)
    assert list(found["interfaces"]) == [
        *("none", "clear_refs", "scan-softdirty", "scan-wp", "v6", "v6-no-reused", "uffd-sync", "mprotect")
    ]
    for answer in found["interfaces"].values():
        assert answer["works"] or (answer["why"] and answer["remedy"])
    text = bench("probe").stdout
    for name, answer in found["interfaces"].items():
        assert f"{name:15} {'yes' if answer['works'] else 'no: ' + answer['why']}" in text


def test_list_names_everything():
    text = bench("list").stdout
    for word in ("quick", "hotset", "scan-softdirty"):
        assert f"  {word} " in text


def test_a_run_ends_with_its_report_and_keeps_every_promise_of_its_metadata(result):
    folder, done = result
    assert done.stdout.strip() == (folder / "report.txt").read_text().strip()
    suite = pyperf.BenchmarkSuite.load(str(folder / "suite.json"))
    assert len(suite) == 12  # two points, of each: none's dirty, scan-wp's three phases, atomic's two
    for benchmark in suite:
        assert benchmark.get_nrun() == 2
        for run in benchmark.get_runs():
            found = run.get_metadata()
            assert len(run.values) == 2
            assert (found["extra"], found["missed"], found["seed"]) == (0, 0, 9)
            assert found["written_pages"] in (6, 32)
            for key in ("interface", "phase", "workload", "kind", "pages", "intervals", "where"):
                assert key in found
            for key in ("kernel_release", "mitigations", "cmdline", "cpu_model_name", "clock_ns", "syscall_ns"):
                assert key in found
            assert found["command"].startswith("./bench.py run --suite quick --pages 64 --dirty 10,50")


def test_the_recorded_command_repeats_the_run(result, tmp_path):
    folder, _ = result
    suite = pyperf.BenchmarkSuite.load(str(folder / "suite.json"))
    words = suite.get_metadata()["command"].split()[1:]
    again = bench(*words, "--name", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    repeated = pyperf.BenchmarkSuite.load(str(tmp_path / "again/suite.json"))
    assert repeated.get_benchmark_names() == suite.get_benchmark_names()
    assert repeated.get_metadata()["command"] == suite.get_metadata()["command"]


@pytest.mark.parametrize("command", ["stats", "check", "hist", "compare_to"])
def test_pyperf_works_on_the_file(result, command):
    path = str(result[0] / "suite.json")
    words = [path, path] if command == "compare_to" else [path]
    done = subprocess.run([sys.executable, "-m", "pyperf", command, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "scan-wp" in done.stdout


def test_a_result_is_never_overwritten(result):
    folder, _ = result
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert "exists" in refused("run", *SMALL, "--name", folder)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_killed_run_keeps_the_workers_that_had_finished(tmp_path):
    working("scan-wp")
    folder = tmp_path / "killed"
    words = [str(ROOT / "bench.py"), "run", "--where", "here", "--pages", "64,65536", "--processes", "9"]
    process = subprocess.Popen([*words, "--name", str(folder)], stderr=subprocess.DEVNULL)
    try:
        while not (folder / "suite.json").exists():
            assert process.poll() is None
        workers = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.kill()
        process.wait()
    assert workers
    assert not psutil.wait_procs(workers, timeout=10)[1], "workers of a killed run do not go on"
    assert len(pyperf.BenchmarkSuite.load(str(folder / "suite.json"))) == 6
    report = bench("report", folder)
    assert report.returncode == 0, report.stderr
    assert "of 18" in report.stdout


def test_ctrl_c_is_one_error_and_keeps_what_was_measured(tmp_path):
    working("scan-wp")
    folder = tmp_path / "interrupted"
    words = [str(ROOT / "bench.py"), "run", "--where", "here", "--pages", "65536", "--processes", "9"]
    process = subprocess.Popen(
        # a shell's background job ignores SIGINT, and so does all that it starts: the tests may run in one
        ["env", "--default-signal=INT", *words, "--name", str(folder)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (folder / "suite.json").exists():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "error: interrupted" in said
    assert "Traceback" not in said
    assert len(pyperf.BenchmarkSuite.load(str(folder / "suite.json"))) == 6


def test_a_worker_that_fails_is_named_with_its_call(tmp_path):
    working("scan-wp")

    def little_memory():
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))

    words = ["--where", "here", "--pages", "600000", "--name", tmp_path / "x"]
    said = refused("run", *words, status=3, preexec_fn=little_memory)
    assert "the worker for 'random pages=600000 dirty=10%' ended with status 1" in said
    assert "mmap(reservation) failed: Cannot allocate memory" in said
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--suite", "nope"], "there is no suite 'nope'"),
        (["--workload", "nope"], "there is no workload 'nope'"),
        (["--interface", "nope"], "there is no interface 'nope'"),
        (["--filter", "nope"], "matches no point"),
        (["--pages", "0"], "0 pages"),
        (["--pages", "-5"], "-5 pages"),
        (["--pages", "1,x"], "not a list of numbers"),
        (["--pages", "99999999999"], "99999999999 pages"),
        (["--pages", "4000000000"], "MiB are free"),
        (["--dirty", "101"], "101 %"),
        (["--dirty", "nan"], "nan"),
        (["--processes", "0"], "0 is not in the range"),
        (["--values", "0"], "0 is not in the range"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--name", ".."], "is no name"),
        (["--boots", "0"], "0 is not in the range"),
        (["--boots", "2"], "--boots needs a virtual machine"),
        (["--boots", "3", "--processes", "2", "--where", "vm"], "2 processes can't share 3 boots"),
        (["--where", "moon"], "'moon' is not one of"),
        (["--kernel", "debian:6.12"], "--kernel needs a virtual machine"),
        (["--kernel", __file__, "--where", "vm"], "is no bzImage"),
        (["--kernel", "/nonexistent", "--where", "vm"], "/nonexistent"),
        (["--bogus"], "No such option"),
    ],
)
def test_bad_input_is_one_error_and_one_hint(words, says, tmp_path):
    where = [] if "--where" in words else ["--where", "here"]
    name = [] if "--name" in words else ["--name", tmp_path / "x"]
    assert says in refused("run", *words, *where, *name)
    assert not (tmp_path / "x").exists(), "a refused run leaves nothing behind"


def test_an_interface_that_the_kernel_refuses_at_a_point_leaves_the_others(tmp_path):
    working("mprotect")
    limit = int(Path("/proc/sys/vm/max_map_count").read_text())
    if limit > 100_000:
        pytest.skip(f"vm.max_map_count is {limit}: too much memory to reach it")
    words = ["--where", "here", "--interface", "mprotect", "--interface", "uffd-sync", "--processes", "1"]
    pages = f"100,{2 * limit}"
    done = bench("run", *words, "--workload", "random", "--pages", pages, "--dirty", "50", "--name", tmp_path / "x")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert f"Not measured: mprotect at random pages={2 * limit} dirty=50%: mprotect of one page" in text
    assert "vm.max_map_count" in text
    rows = results.intervals(results.load(tmp_path / "x/suite.json").frame)
    assert set(zip(rows["form"], rows["pages"], strict=True)) == {
        ("mprotect", 100), ("uffd-sync", 100), ("uffd-sync", 2 * limit),
    }  # fmt: skip


def test_an_interface_that_does_not_work_here_is_refused_with_its_reason(tmp_path):
    found = json.loads(bench("probe", "--json").stdout)["interfaces"]
    broken = [name for name, answer in found.items() if not answer["works"]]
    if not broken:
        pytest.skip("every interface works here")
    said = refused("run", *SMALL, "--interface", broken[0], "--name", tmp_path / "x", status=3)
    assert found[broken[0]]["why"] in said
    assert not (tmp_path / "x").exists()


def test_an_unwritable_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    assert "can't be made" in refused("run", *SMALL, "--name", tmp_path / "file/x")


@pytest.mark.parametrize("content", ["", '{"benchmarks": [', "[]", '{"a": 1}'])
def test_a_damaged_result_is_refused(tmp_path, content):
    (tmp_path / "suite.json").write_text(content)
    assert "suite.json" in refused("report", tmp_path)
    assert (tmp_path / "suite.json").read_text() == content


def test_a_result_that_is_not_there_is_refused():
    assert "no-such-result" in refused("report", "no-such-result")


def test_report_into_a_closed_pipe_is_quiet(result):
    words = f"{ROOT}/bench.py report {result[0]} | head -n 1"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True)
    assert done.stdout
    assert done.stderr == ""


@pytest.fixture
def pair(tmp_path):
    """Two invented results: scan-softdirty got 5 % slower."""
    options = {"what": [("random", 1000, 10.0)], "processes": 20, "boots": 10, "rounds": 1, "noise": 0.005}
    synthetic.suite(tmp_path / "base/suite.json", **options)
    synthetic.suite(tmp_path / "patched/suite.json", luck=8, factor={"scan-softdirty": 1.05}, **options)
    return tmp_path / "base", tmp_path / "patched"


def test_compare_fails_only_on_a_regression_beyond_the_limit(pair):
    for limit, status in (("3%", 1), ("3", 1), ("20%", 0)):
        done = bench("compare", *pair, "--fail-on", limit)
        assert done.returncode == status, done.stderr
        assert "1 of 4 cases differ" in done.stdout
    said = refused("compare", *pair, "--fail-on", "3%", status=1).splitlines()
    assert re.search(r"1 of 4 cases are significantly more than 3% slower, by up to \+5\.\d% \(scan-softdirty", said[0])
    assert bench("compare", *reversed(pair), "--fail-on", "0%").returncode == 0, "faster is no regression"


def test_compare_prints_each_format_and_keeps_what_it_is_told_to(pair, tmp_path):
    for form, word in (("text", "geomean of all"), ("markdown", "| ---"), ("csv", "p_holm,"), ("json", '"verdict"')):
        done = bench("compare", *pair, "--format", form, "--metric", "seconds", "--name", tmp_path / form)
        assert done.returncode == 0, done.stderr
        assert word in done.stdout
        assert sorted(p.name for p in (tmp_path / form).iterdir()) == [
            "compare.csv", "compare.txt", "forest.png", "forest.svg",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "Missing argument"),
        (["{base}"], "needs two results"),
        (["{base}", "{base}"], "is given twice"),
        (["{base}", "nowhere"], "nowhere"),
        (["{base}", "{patched}", "--fail-on", "many"], "'many' is not a percentage"),
        (["{base}", "{patched}", "--fail-on", "-1%"], "'-1%' is not a percentage"),
        (["{base}", "{patched}", "--alpha", "0"], "0"),
        (["{base}", "{patched}", "--metric", "beauty"], "'beauty' is not one of"),
        (["{base}", "{patched}", "--filter", "nope"], "matches no case"),
        (["{base}", "{patched}", "--name", ".."], "is no name"),
    ],
)
def test_a_comparison_that_can_not_be_made_is_refused(words, says, pair):
    base, patched = pair
    assert says in refused("compare", *(word.format(base=base, patched=patched) for word in words))


def test_report_is_one_page_or_all_or_csv_or_html(pair):
    base, _ = pair
    page, everything = (bench("report", base, *words).stdout for words in ([], ["--all"]))
    assert (base / "report.txt").read_text().strip() == page.strip()
    assert "every point" in everything
    assert "every point" not in page
    table = pandas.read_csv(io.StringIO(bench("report", base, "--format", "csv").stdout))
    suite = pyperf.BenchmarkSuite.load(str(base / "suite.json"))
    assert len(table) == sum(b.get_nvalue() for b in suite)
    assert table["seconds"].sum() == pytest.approx(sum(sum(b.get_values()) for b in suite))
    done = bench("report", base, "--format", "html")
    assert done.stdout.strip() == str(base / "report.html")
    assert "<svg" in (base / "report.html").read_text()


def test_csv_columns_are_the_documented_ones(pair):
    documented = (ROOT / "results/README.md").read_text()
    for words in (["report", pair[0]], ["compare", *pair]):
        for column in bench(*words, "--format", "csv").stdout.splitlines()[0].split(","):
            assert re.search(rf"\b{column.replace('new_', 'base_')}\b", documented), column


def test_cover_letter_as_an_editor_changes_the_letter_once(pair, tmp_path):
    letter = tmp_path / "0000-cover-letter.patch"
    letter.write_text("Subject: [PATCH 0/2] *** SUBJECT HERE ***\n\n*** BLURB HERE ***\n\nA B (2):\n  one\n  two\n")
    assert bench("cover-letter", *pair, "--into", letter).returncode == 0
    text = letter.read_text()
    assert bench("cover-letter", *pair).stdout in text
    assert text.index("BLURB") < text.index("\nBenchmark results\n") < text.index("A B (2)")
    before = letter.stat().st_mtime_ns
    assert "has these results already" in bench("cover-letter", *pair, "--into", letter).stderr
    assert letter.stat().st_mtime_ns == before
    assert bench("cover-letter", pair[0], "--into", letter).returncode == 0
    assert letter.read_text().count("Benchmark results") == 1
    assert "does not exist" in refused("cover-letter", pair[0], "--into", tmp_path / "none")


EXAMPLES = sorted((ROOT / "results").glob("example-*"))


def test_the_readmes_second_table_is_that_of_the_example():
    report = (ROOT / "results/example-lkml-2022/report.txt").read_text()
    table = report[report.index("  One tracking interval, us") : report.index("\n\n  One whole interval")]
    assert len(table.splitlines()) == 12
    assert table in (ROOT / "README.md").read_text()


def test_what_is_kept_as_example_is_what_this_code_says(tmp_path):
    assert EXAMPLES
    for folder in EXAMPLES:
        if (folder / "suite.json").exists():
            shutil.copytree(folder, tmp_path / folder.name)
            assert bench("report", tmp_path / folder.name).returncode == 0
            for path in folder.iterdir():
                assert (tmp_path / folder.name / path.name).read_bytes() == path.read_bytes(), path
    shutil.copy(ROOT / "README.md", tmp_path)
    done = bench("cover-letter", "example-6.12", "--into", tmp_path / "README.md")
    assert "has these results already" in done.stderr, "make examples"


def test_comparisons_kept_as_examples():
    itself = (ROOT / "results/example-6.12-vs-itself/compare.txt").read_text()
    assert itself.splitlines()[0].startswith("  No significant difference")
    for name, new in (("itself", "example-6.12-again"), ("7.3", "example-7.3")):
        kept = (ROOT / f"results/example-6.12-vs-{name}/compare.txt").read_text()
        assert_mailable(kept)
        assert bench("compare", "example-6.12", new).stdout.strip() in kept


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Two results of more than 10,000 benchmarks of 20 values each: (folder, folder)."""
    folders = []
    for luck in (1, 2):
        folder = tmp_path_factory.mktemp("large") / f"result{luck}"
        path = synthetic.suite(folder / "suite.json", processes=20, rounds=1, luck=luck)
        data = json.loads(path.read_text())
        data["benchmarks"] = [
            {
                **one,
                "metadata": one["metadata"]
                | {"name": f"{one['metadata']['name']} {copy}", "setting": f"writers={copy + 1}"},
            }
            for copy in range(10_000 // len(data["benchmarks"]) + 1)
            for one in data["benchmarks"]
        ]
        assert len(data["benchmarks"]) >= 10_000
        path.write_text(json.dumps(data))
        folders.append(folder)
    return folders


@pytest.mark.parametrize("command", ["report", "compare"])
def test_ten_thousand_benchmarks_take_ten_seconds_and_less_than_a_gibibyte(large, command):
    words = [sys.executable, str(ROOT / "bench.py"), command, *map(str, large[: 1 if command == "report" else 2])]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert used.ru_utime + used.ru_stime < 15, "CPU time: 10 s of a quiet machine"
    assert used.ru_maxrss < 1 << 20, "KiB"
