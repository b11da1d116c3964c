# SPDX-License-Identifier: GPL-2.0-only
"""The live tests and whole runs inside guests: Debian's 6.12 has every interface, Debian 12's 6.1 the legacy one."""

import contextlib
import json
import os
import re
from pathlib import Path

import pyperf
import pytest

from bench.commands import GUEST_PACKAGES
from bench.errors import GuestFailed
from bench.vm import kernel, qemu
from tests.test_command_line import bench, refused

PYTEST = ["pytest", "pluggy", "iniconfig", "packaging", "pygments", "pytest-timeout"]
# with huge pages reserved, which on a machine that is not ours only its owner may do
LIVE = [
    "-c",
    "import pytest, sys\n"
    "with open('/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages', 'w') as reserved: reserved.write('16')\n"
    "sys.exit(pytest.main(['-p', 'no:cacheprovider', '--json-lines', '--timeout=120', 'tests/live']))",
]


def live_tests_in(spec, log):
    """Run tests/live in a guest of that kernel; return {test: (outcome, reason)}."""
    image = kernel.find(spec, echo=print)
    lines = qemu.run(
        image,
        LIVE,
        packages=GUEST_PACKAGES + PYTEST,
        trees=[Path("tests"), Path("pyproject.toml")],
        memory_mib=2048,
        cpus=1,
        accel="auto",
        time_limit=500,
        log=log,
        echo=print,
    )
    found = {}
    with contextlib.suppress(GuestFailed):  # a test that failed is among them, and asserted below
        for line in lines:
            if line.startswith("{"):
                one = json.loads(line)
                found[one["test"]] = (one["outcome"], one["reason"])
    return found


@pytest.fixture(scope="module")
def log(tmp_path_factory, image):
    return tmp_path_factory.mktemp("guest") / "guest.log"


def test_every_live_test_passes_on_debian_6_12(log):
    found = live_tests_in("debian:6.12", log)
    wrong = {test: outcome for test, outcome in found.items() if outcome[0] != "passed"}
    known = r"ioctl of the v6 series|calls succeed here|another's memory|hugetlb: it can't track|works here|one CPU"
    assert not {test: why for test, why in wrong.items() if why[0] == "failed" or not re.search(known, why[1])}
    for name in ("clear_refs", "scan-softdirty", "scan-wp"):
        assert sum(f"[{name}" in test or f"-{name}]" in test for test in found) > 10


def test_debian_6_1_has_only_the_legacy_interface_and_says_why(log):
    found = live_tests_in("debian:6.1", log)
    assert not {test: outcome for test, outcome in found.items() if outcome[0] == "failed"}
    skipped = {test: reason for test, (outcome, reason) in found.items() if outcome == "skipped"}
    assert skipped
    known = r"the kernel has no PAGEMAP_SCAN ioctl|ioctl of the v6 series|another's memory|hugetlb: it can't|works here"
    for test, reason in skipped.items():
        assert re.search(known, reason), test
    assert any("the kernel has no PAGEMAP_SCAN ioctl" in reason for reason in skipped.values())
    passed = [test for test, (outcome, _) in found.items() if outcome == "passed"]
    assert sum("clear_refs" in test for test in passed) > 10


def test_every_live_test_passes_on_a_kernel_with_the_v6_series(log):
    spec = os.environ.get("BENCH_V6_KERNEL")
    if not spec:
        pytest.skip("BENCH_V6_KERNEL names no kernel with the ioctl of the v6 series")
    found = live_tests_in(spec, log)
    assert not {test: outcome for test, outcome in found.items() if outcome[0] == "failed"}
    passed = [test for test, (outcome, _) in found.items() if outcome == "passed"]
    for name in ("v6", "v6-no-reused"):
        assert sum(f"[{name}" in test or f"-{name}" in test for test in passed) > 10


def test_a_run_in_a_guest_measures_all_interfaces_exactly(tmp_path, image):
    folder = tmp_path / "guest"
    words = ["run", "--where", "vm", "--pages", "1,2000", "--processes", "2", "--values", "2", "--name", folder]
    done = bench(*words)
    assert done.returncode == 0, done.stderr
    suite = pyperf.BenchmarkSuite.load(str(folder / "suite.json"))
    runs = [run.get_metadata() for benchmark in suite for run in benchmark.get_runs()]
    assert {run["interface"] for run in runs} == {"none", "clear_refs", "scan-softdirty", "scan-wp"}
    assert {(run["process"], run["boot"]) for run in runs} == {(0, 0), (1, 1)}, "a boot for each process"
    assert "MEM_SOFT_DIRTY=y" in suite.get_metadata()["kernel_config"]
    assert {(run["extra"], run["missed"]) for run in runs} == {(0, 0)}
    assert {run["kernel_release"][:5] for run in runs} == {"6.12."}
    assert {run["where"] for run in runs} <= {"kvm", "tcg", "tcg-icount"}
    assert (folder / "guest.log").read_text().count("Linux version 6.12.")
    assert "PAGEMAP_SCAN" in done.stdout


def test_a_guest_without_the_ioctl_is_measured_for_what_it_has(tmp_path, image):
    folder = tmp_path / "old"
    words = ["run", "--kernel", "debian:6.1", "--pages", "100", "--processes", "1", "--values", "2", "--name", folder]
    done = bench(*words)
    assert done.returncode == 0, done.stderr
    assert "the kernel has no PAGEMAP_SCAN ioctl" in done.stdout
    suite = pyperf.BenchmarkSuite.load(str(folder / "suite.json"))
    assert {b.get_metadata()["interface"] for b in suite} == {"none", "clear_refs"}


def test_a_guest_that_has_nothing_to_measure_is_an_error_that_says_why(tmp_path, image):
    words = ["run", "--kernel", "debian:6.1", "--interface", "scan-wp", "--name", tmp_path / "x"]
    assert "the kernel has no PAGEMAP_SCAN ioctl" in refused(*words, status=3)
    assert not (tmp_path / "x/suite.json").exists()


def test_instruction_counting_repeats_over_boots(tmp_path, image):
    """Twice six boots, same medians: what makes small changes of a kernel visible on any machine.

    What walks the mapping alone repeats within 1 %. clear_refs walks the whole process, whose page tables depend on
    where ASLR put its libraries: medians over processes repeat within 5 %.
    """

    def medians(name):
        words = ["run", "--where", "vm", "--accel", "icount", "--pages", "1000", "--processes", "6", "--values", "1"]
        done = bench(*words, "--name", tmp_path / name)
        assert done.returncode == 0, done.stderr
        suite = pyperf.BenchmarkSuite.load(str(tmp_path / name / "suite.json"))
        return {b.get_name(): (b.median(), b.get_metadata()) for b in suite}

    first, second = medians("first"), medians("second")
    assert first.keys() == second.keys()
    for name, (value, metadata) in first.items():
        whole_process = metadata["phase"] == "reset" and metadata["interface"] != "scan-wp"
        assert second[name][0] == pytest.approx(value, rel=0.05 if whole_process else 0.01), name
