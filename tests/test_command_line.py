# SPDX-License-Identifier: GPL-2.0-only
"""./bench.py as a person uses it: what it prints, what it writes, how it fails."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pyperf
import pytest

from tests.live.conftest import working

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
    assert list(found["interfaces"]) == ["none", "clear_refs", "scan-softdirty", "scan-wp"]
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
            for key in ("interface", "phase", "workload", "kind", "pages", "writers", "intervals", "where"):
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
        [*words, "--name", str(folder)], stderr=subprocess.PIPE, text=True, start_new_session=True
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
