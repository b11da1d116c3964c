# SPDX-License-Identifier: GPL-2.0-only
"""./bench.py run on the running kernel: what it leaves, and what it leaves when it ends early."""

import json
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import psutil
import pyperf
import pytest

from bench.plan.records import Plan, Timed
from bench.store import frames, log
from tests.measure.conftest import working
from tests.support import ROOT, await_running, bench, interrupted, refused

SMALL = ["--pages", "64", "--processes", "2", "--values", "2", "--where", "here"]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A small run on the running kernel: (folder, what was printed)."""
    working("scan-wp")
    folder = tmp_path_factory.mktemp("results") / "small"
    done = bench("run", *SMALL, "--dirty", "10,50", "--name", folder, "--seed", 9)
    assert done.returncode == 0, done.stderr
    return folder, done


def timed(folder):
    """How many jobs of a run under way have finished."""
    path = folder / log.FILE
    return path.read_text().count('"type":"timed"') if path.exists() else 0


def test_a_run_says_first_what_it_will_do_and_how_long_that_takes(result):
    first = result[1].stderr.splitlines()[0]
    assert first.startswith("Measuring 2 points, each in 2 processes, with ")
    assert re.search(r" on the running kernel: about \d+ s\.$", first)


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
    plan = log.read(folder / log.FILE)[0][0]
    again = bench(*plan.command.split()[1:], "--name", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    repeated = log.read(tmp_path / "again" / log.FILE)[0][0]
    assert isinstance(repeated, Plan)
    assert repeated._replace(date="") == plan._replace(date="")


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
        await_running(process, lambda: timed(folder))
        workers = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.kill()
        process.wait()
    assert workers
    assert not psutil.wait_procs(workers, timeout=10)[1], "workers of a killed run do not go on"
    report = bench("report", folder)
    assert report.returncode == 0, report.stderr
    assert "of 18" in report.stdout
    assert len(pyperf.BenchmarkSuite.load(str(folder / "suite.json"))) == 6


def test_ctrl_c_is_one_error_and_keeps_what_was_measured(tmp_path):
    working("scan-wp")
    folder = tmp_path / "interrupted"
    words = ["run", "--where", "here", "--pages", "65536", "--processes", "9", "--name", folder]
    interrupted(lambda: timed(folder), *words)
    found = [record for record in log.read(folder / log.FILE)[0] if isinstance(record, Timed)]
    assert 1 <= len(found) < 9
    assert len({(one.interface, one.atomic, phase) for one in found[0].series for phase in one.values}) == 6


def test_a_worker_that_fails_is_named_with_its_call(tmp_path):
    working("scan-wp")

    def little_memory():
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))

    words = ["--where", "here", "--pages", "600000", "--name", tmp_path / "x"]
    said = refused("run", *words, status=3, preexec_fn=little_memory)
    assert "random pages=600000 dirty=10%, process 0" in said
    assert "mmap(reservation) failed: Cannot allocate memory" in said
    assert not (tmp_path / "x").exists()


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
    rows = frames.intervals(frames.load(tmp_path / "x").frame)
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


def test_settings_make_a_grid_and_the_recorded_command_repeats_it(tmp_path):
    folder = tmp_path / "grid"
    words = ["run", "--where", "here", "--pages", "64", "--processes", "1", "--interface", "mprotect"]
    words += ["--writers", "1,2", "--sharing", "shared", "--vmas", "1,4", "--ballast", "1M", "--watch", "50%"]
    done = bench(*words, "--name", folder)
    assert done.returncode == 0, done.stderr
    loaded = frames.load(folder)
    settings = [f"{w}shared {v}watch=50% ballast=1MiB" for w in ("", "writers=2 ") for v in ("", "vmas=4 ")]
    assert set(loaded.frame["setting"]) == set(settings)
    command = loaded.host["command"]
    assert "--writers 1,2 --sharing shared --vmas 1,4 --watch 50 --ballast 1048576" in command
    assert "(usual)" not in done.stdout
    assert re.search(r"writers=2 shared vmas=4 watch=50%\s+ballast=1MiB|writers=2 shared vmas=4", done.stdout)


def test_a_sort_of_memory_that_is_not_to_be_had_is_named_and_the_others_are_measured(tmp_path):
    words = ["run", "--where", "here", "--kind", "shmem,hugetlb", "--pages", "512", "--processes", "1"]
    done = bench(*words, "--interface", "mprotect", "--name", tmp_path / "x")
    assert done.returncode == 0, done.stderr
    if "hugetlb" in frames.load(tmp_path / "x").frame["kind"].unique():
        pytest.skip("hugetlb works here")
    assert "Not measured: hugetlb: too few huge pages of 2 MiB are reserved" in " ".join(done.stdout.split())
    assert "INCOMPLETE" not in done.stdout, "what can't be measured was not planned"


def test_files_are_made_where_one_says_and_the_report_names_the_file_system(tmp_path):
    words = ["run", "--where", "here", "--kind", "file-shared", "--pages", "64", "--processes", "1"]
    done = bench(*words, "--directory", tmp_path, "--interface", "mprotect", "--name", tmp_path / "x")
    assert done.returncode == 0, done.stderr
    assert re.search(r"shared file \(on \w+\)", done.stdout)
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]
    assert "does not exist" in refused(*words, "--directory", tmp_path / "absent")
    assert "no file system but tmpfs" in refused("run", "--where", "vm", "--directory", tmp_path)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--kind", "ramdisk"], "there is no kind 'ramdisk'"),
        (["--ballast", "lots"], "not a list of sizes"),
        (["--writers", "many"], "not a list of numbers"),
        (["--kind", "hugetlb", "--pages", "100"], "no whole huge pages"),
    ],
)
def test_mistakes_in_settings_are_refused(words, text):
    assert text in refused("run", *words)


def test_every_run_that_the_readme_shows_can_be():
    """As far as its points, which a filter that matches none of them shows without measuring."""
    lines = [
        shlex.split(line.split("#")[0]) if line.startswith("./bench.py run") else []
        for line in (ROOT / "README.md").read_text().splitlines()
    ]
    shown = [words for words in lines if words[:2] == ["./bench.py", "run"] and "-filter" not in words]
    assert len(shown) > 5
    for words in shown:
        if "@" not in " ".join(words) and "debian:" not in words and "meaning" not in words and "\\" not in words:
            said = refused(*words[1:], "--progress", "auto", "--filter", "none at all")
            assert "matches no point" in said or "matches no scenario" in said, words


def test_points_of_ones_own_are_no_suite(tmp_path):
    """Else the table of 2022 would stand beside something else than its pages."""
    folder = tmp_path / "own"
    words = ["run", "--where", "here", "--suite", "lkml-2022", "--pages", "8", "--processes", "1", "--interface"]
    done = bench(*words, "mprotect", "--name", folder)
    assert done.returncode == 0, done.stderr
    assert "suite own" in " ".join(done.stdout.split())
    assert "PUBLISHED" not in done.stdout
    assert not (folder / "published.png").exists()
    assert "--suite lkml-2022" in frames.load(folder).host["command"]
