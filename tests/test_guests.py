# SPDX-License-Identifier: GPL-2.0-only
"""The live tests and whole runs inside guests: Debian's 6.12 has every interface, Debian 12's 6.1 the legacy one."""

import contextlib
import json
import os
import re
import subprocess
from pathlib import Path

import pyperf
import pytest

from bench.errors import GuestFailed
from bench.plan import catalogue
from bench.plan.interfaces import ACCESSED, INTERFACES, TRACKERS, WRITTEN
from bench.plan.records import BREAKS
from bench.report import bystanders
from bench.run.machines import GUEST_PACKAGES
from bench.store import frames, verdicts
from bench.vm import kernel, qemu
from tests import copies
from tests.measure.known import unexpected
from tests.skips import allowed
from tests.support import bench, refused

PYTEST = ["pytest", "pluggy", "iniconfig", "packaging", "pygments", "pytest-timeout"]
LIVE_SECONDS = 900  # on a busy machine
# with huge pages reserved, folios of all sizes allowed, and DAMON for whoever asks, which on a machine that is not ours
# only its owner may do
LIVE = [
    "-c",
    "import pathlib, pytest, sys\n"
    "with open('/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages', 'w') as reserved: reserved.write('16')\n"
    "for setting in pathlib.Path('/sys/kernel/mm/transparent_hugepage').glob('hugepages-*/enabled'):\n"
    "    setting.write_text('madvise')\n"
    "for others in pathlib.Path('/sys/module/damon_stat/parameters').glob('enabled'):\n"
    "    others.write_text('N')\n"
    "sys.exit(pytest.main(['-p', 'no:cacheprovider', '--json-lines', '--timeout=120', 'tests/measure', '-k', "
    "sys.argv[1]]))",
]
CHOICE = "not test_a_scenario_ends_as_expected"  # the suite meaning plays them, below
# What a kernel without the ioctl has no more of than the others.
LEGACY = f"{CHOICE} and not (test_acts or test_bystanders or test_folios or test_several or test_life)"


def lines_of(spec, log, choice=CHOICE, before="", trees=(), otherwise="icount"):
    """Run the chosen ones of tests/measure in a guest of that kernel, after some code; return what they print.

    otherwise: what it takes where KVM does not work.
    """
    image = kernel.find(spec, echo=print).path
    tests = ("tests", "pyproject.toml", "bench/store", "bench/files.py", "bench/reading.py", *trees)
    return qemu.boot(
        image,
        [LIVE[0], before + LIVE[1], choice],
        qemu.accelerator("auto", image, GUEST_PACKAGES, print, otherwise=otherwise),
        packages=GUEST_PACKAGES + PYTEST,
        trees=[Path(name) for name in tests],
        memory_mib=2048,
        cpus=1,
        time_limit=LIVE_SECONDS,
        log=log,
        echo=print,
        scenarios=True,
    )


def live_tests_in(spec, log, choice=CHOICE):
    """Run the chosen ones of tests/measure in a guest of that kernel; return {test: (outcome, reason)}."""
    found = {}
    with contextlib.suppress(GuestFailed):  # a test that failed is among them, and asserted below
        for line in lines_of(spec, log, choice):
            if line.startswith("{"):
                one = json.loads(line)
                found[one["test"]] = (one["outcome"], one["reason"])
    return found


@pytest.fixture(scope="module")
def log(tmp_path_factory, image):
    return tmp_path_factory.mktemp("guest") / "guest.log"


@pytest.mark.long
@pytest.mark.timeout(LIVE_SECONDS + 60)
def test_every_live_test_passes_on_debian_6_12(log):
    found = live_tests_in("debian:6.12", log)
    wrong = {test: outcome for test, outcome in found.items() if outcome[0] != "passed"}
    assert not {
        test: (what, why) for test, (what, why) in wrong.items() if what == "failed" or not allowed("debian:6.12", why)
    }
    for name in ("clear_refs", "scan-softdirty", "scan-wp"):
        assert sum(f"[{name}" in test or f"-{name}]" in test for test in found) > 10


@pytest.mark.timeout(LIVE_SECONDS + 60)
def test_debian_6_1_has_only_the_legacy_interface_and_says_why(log):
    found = live_tests_in("debian:6.1", log, LEGACY)
    assert not {test: outcome for test, outcome in found.items() if outcome[0] == "failed"}
    skipped = {test: reason for test, (outcome, reason) in found.items() if outcome == "skipped"}
    assert skipped
    assert not {test: why for test, why in skipped.items() if not allowed("debian:6.1", why)}
    assert any("the kernel has no PAGEMAP_SCAN ioctl" in reason for reason in skipped.values())
    passed = [test for test, (outcome, _) in found.items() if outcome == "passed"]
    assert sum("clear_refs" in test for test in passed) > 10


def v6_kernel():
    """The image that a developer names: no distribution has one."""
    if spec := os.environ.get("BENCH_V6_KERNEL"):
        return spec
    return pytest.skip("BENCH_V6_KERNEL names no kernel with the ioctl of the v6 series")


@pytest.mark.timeout(LIVE_SECONDS)
def test_every_live_test_passes_on_a_kernel_with_the_v6_series(log):
    found = live_tests_in(v6_kernel(), log)
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
    assert all(re.match(r"qemu-system-x86_64 .*-kernel vmlinuz-6\.12\.\d+ ", run["qemu"]) for run in runs)
    assert {(run["extra"], run["missed"]) for run in runs} == {(0, 0)}
    assert {run["kernel_release"][:5] for run in runs} == {"6.12."}
    assert {run["where"] for run in runs} <= {"kvm", "tcg", "tcg-icount"}
    for boot in range(2):
        assert (folder / f"guest-{boot}.log").read_text().count("Linux version 6.12.") == 1
    assert "PAGEMAP_SCAN" in done.stdout
    rows = frames.intervals(frames.load(folder).frame)
    counted = {run["where"] for run in runs} == {"tcg-icount"}
    assert set(rows["quantity"]) == {"instructions" if counted else "time"}
    assert ("instructions" in done.stdout) == counted
    assert not re.search(r"\bus\b|faster|as fast", done.stdout) or not counted


def test_a_page_fault_elsewhere_waits_for_clear_refs_and_not_for_the_ioctl(tmp_path, image):
    """mmap_lock for writing over the whole walk, and every VMA locked; its readers are in no way of a fault elsewhere.

    Instructions are counted, so what it waits does not depend on what else the host does.
    """
    folder = tmp_path / "bystanders"
    words = [
        "--suite",
        "bystanders",
        "--filter",
        "*pages=1024 *=fault",
        "--interface",
        "clear_refs",
        "--interface",
        "scan-wp",
    ]
    done = bench("run", *words, "--kernel", "debian:6.12", "--accel", "icount", "--processes", "1", "--name", folder)
    assert done.returncode == 0, done.stderr
    found = bystanders.rows(frames.load(folder).frame).set_index("form")
    usual = found.loc["none", "bystanders_max"]
    assert found.loc["clear_refs", "bystanders_max"] > 10 * usual
    assert found.loc["clear_refs", "bystanders_phase"] == "reset"
    assert found.loc["clear_refs", "bystanders_max"] == pytest.approx(found.loc["clear_refs", "value"].max(), rel=0.3)
    assert max(found.loc[["scan-wp", "scan-wp atomic"], "bystanders_max"]) < 5 * usual
    assert set(found["exact"]) == {True}, "the tracker's own instructions are counted without the bystander's"
    assert "How long bystanders wait" in done.stdout
    assert (folder / "bystanders.png").exists()


def test_accesses_are_tracked_exactly_where_the_kernel_can(tmp_path, image):
    """Of a first interval clear_refs 1 is right too: it leaves TLB entries, and nobody has used any of them yet."""
    folder = tmp_path / "accessed"
    names = [name for name in TRACKERS[ACCESSED] if not INTERFACES[name].young] + ["clear_refs-1", "damon"]
    words = [word for name in names for word in ("--interface", name)]
    words += ["--pages", "200", "--dirty", "30", "--reads", "0,50,100", "--first", "--processes", "1", "--boots", "1"]
    done = bench("run", "--kernel", "debian:7.3", *words, "--name", folder)
    assert done.returncode in (0, 1), "DAMON estimates"
    counts = frames.exactness(frames.intervals(frames.load(folder).frame)).set_index("form")
    assert set(counts.index) == set(names), "DAMON is there too: DAMON_STAT has made room"
    wrong = counts[["extra", "missed"]].groupby(level=0, observed=True).sum().sum(axis=1)
    assert not wrong.drop("damon").any()


def test_a_guest_without_the_ioctl_is_measured_for_what_it_has(tmp_path, image):
    folder = tmp_path / "old"
    words = ["run", "--kernel", "debian:6.1", "--pages", "100", "--processes", "1", "--values", "2", "--name", folder]
    done = bench(*words)
    assert done.returncode == 0, done.stderr
    assert "the kernel has no PAGEMAP_SCAN ioctl" in done.stdout
    suite = pyperf.BenchmarkSuite.load(str(folder / "suite.json"))
    assert {b.get_metadata()["interface"] for b in suite} == {"none", "clear_refs"}


def test_a_guest_is_probed_and_says_what_works_there(image):
    done = bench("probe", "--kernel", image, "--accel", "tcg")
    assert done.returncode == 0, done.stderr
    first, *rows = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert re.fullmatch(r"Linux 6\.12\.\S+, x86_64, pages of 4 KiB:", first)
    said = {row.split()[0]: row.split(maxsplit=1)[1] for row in rows}
    assert set(said) == set(INTERFACES)
    assert {said[name] for name in ("clear_refs", "scan-wp", "mprotect")} == {"yes"}
    assert said["rwp-async"].startswith("no: ")


def test_a_guest_that_has_nothing_to_measure_is_an_error_that_says_why(tmp_path, image):
    words = ["run", "--kernel", "debian:6.1", "--interface", "scan-wp", "--name", tmp_path / "x"]
    assert "the kernel has no PAGEMAP_SCAN ioctl" in refused(*words, status=3)
    assert not (tmp_path / "x/suite.json").exists()


def test_instruction_counting_repeats_over_boots(tmp_path, image):
    """Twice three boots, same medians within 1 %: what makes small changes of a kernel visible on any machine."""

    def medians(name):
        words = ["run", "--where", "vm", "--accel", "icount", "--pages", "1000", "--processes", "3", "--boots", "3"]
        done = bench(*words, "--name", tmp_path / name)
        assert done.returncode == 0, done.stderr
        suite = pyperf.BenchmarkSuite.load(str(tmp_path / name / "suite.json"))
        return {b.get_name(): (b.median(), b.get_metadata()) for b in suite}

    first, second = medians("first"), medians("second")
    assert first.keys() == second.keys()
    for name, (value, metadata) in first.items():
        assert metadata["unit"] == "integer", "instructions, not seconds"
        assert second[name][0] == pytest.approx(value, rel=0.01), name


# What is known of real kernels (scenario, interface): verdicts on these four, oldest first; "" where it has no such
# interface. merge noise; VM_SOFTDIRTY lost on merge; holes; WRITTEN outside registered memory; hugetlb; moved tables.
KERNELS = ("6.1", "6.12", "6.18.15", "7.3")
KNOWN = {
    ("merge_mmap_after", "clear_refs"): ("(+7)", "(+7)", "(+7)", "(+7)"),
    ("merge_mmap_before", "scan-softdirty"): ("", "(+7)", "(+7)", "(+7)"),
    ("merge_brk", "clear_refs"): ("(+7)", "(+7)", "(+7)", "(+7)"),
    ("merge_mmap_after", "scan-wp"): ("", "exact", "exact", "exact"),
    ("guards_mmap", "clear_refs"): ("exact", "exact", "exact", "exact"),
    ("merge_renewed_last", "clear_refs"): ("-7", "-7", "-7", "(+8)"),
    ("merge_mprotect_tracked", "clear_refs"): ("exact", "exact", "exact", "(+7)"),
    ("holes_tables", "scan-wp"): ("", "exact", "+511", "exact"),
    ("unregistered", "scan-wp"): ("", "+8", "+8", "exact"),
    ("hugetlb", "clear_refs"): ("-512", "-512", "-512", "-512"),
    ("hugetlb", "scan-wp"): ("", "exact", "exact", "exact"),
    ("mremap_ptes", "clear_refs"): ("exact", "exact", "exact", "exact"),
    ("mremap_tables", "clear_refs"): ("-512", "-512", "-512", "-512"),
    ("mremap_thp", "clear_refs"): ("exact", "exact", "exact", "exact"),
    ("thp_byte", "clear_refs"): ("(+511)", "(+511)", "(+511)", "(+511)"),
    ("thp_byte", "scan-wp"): ("", "exact", "exact", "exact"),
    ("thp_collapse", "clear_refs"): ("(+511)", "(+511)", "(+511)", "(+511)"),
    ("mprotect_stale_pte", "clear_refs"): ("exact", "exact", "exact", "exact"),
    ("stale_tlb", "clear_refs"): ("exact", "exact", "exact", "exact"),
    ("stale_tlb_other_cpu", "scan-wp"): ("", "exact", "exact", "exact"),
    ("writers_atomic", "scan-wp"): ("", "exact", "exact", "exact"),
    ("accessed_write", "rwp-async"): ("", "", "", "exact"),
    ("accessed_read", "rwp-sync"): ("", "", "", "exact"),
    ("accessed_mlock", "rwp-async"): ("", "", "", "+7"),
    ("accessed_scan_protect", "rwp-async"): ("", "", "", "-1"),
    ("accessed_thp_byte", "rwp-async"): ("", "", "", "(+511)"),
    ("accessed_write", "clear_refs-1"): ("exact", "exact", "exact", "exact"),
    ("accessed_stale_tlb", "clear_refs-1"): ("-20", "-20", "-20", "-20"),
    ("accessed_stale_tlb", "mprotect-none"): ("exact", "exact", "exact", "exact"),
}


WHOLE = {"6.12": WRITTEN, "7.3": ACCESSED}  # where all scenarios about a property are played; elsewhere those above


@pytest.mark.timeout(LIVE_SECONDS + 60)
@pytest.mark.parametrize("version", KERNELS)
def test_the_suite_meaning_finds_what_is_known(tmp_path, image, version):
    folder = tmp_path / version
    some = {scenario for scenario, _ in KNOWN} | set(catalogue.scenarios(WHOLE[version]) if version in WHOLE else ())
    names = [f"--interface={name}" for name, row in INTERFACES.items() if row.tracks and not (row.draft or row.samples)]
    words = ["--suite", "meaning", "--kernel", f"debian:{version}", "--values", "2", "--filter", "|".join(some), *names]
    done = bench("run", *words, "--name", folder, timeout=LIVE_SECONDS)
    assert done.returncode == 0, done.stderr
    found = verdicts.load(folder)
    seen = {key: found.cells[key].text() for key in KNOWN if found.cells[key].plays}
    at = KERNELS.index(version)
    assert seen == {key: verdicts[at] for key, verdicts in KNOWN.items() if verdicts[at]}
    unsteady = {scenario for (scenario, _), cell in found.cells.items() if cell.unsteady}
    assert unsteady <= {"writers_separate"}, "how much two calls lose is chance"
    assert {cell.plays for cell in found.cells.values() if cell.plays} <= {1, 2}, "what is not possible is tried once"
    assert not [key for key, cell in found.cells.items() if cell.ended and cell.kind != BREAKS]
    assert kernel.matches(found.kernel, version)
    assert (folder / "guest.log").read_text().count("Linux version")
    odd = {key: why for key, cell in found.cells.items() if cell.plays and (why := unexpected(*key, cell))}
    assert not odd


# scenario: (v6, v6-no-reused); what was written before a reset is missed, whose TLB entry that reset left
KNOWN_V6 = {
    "fresh_untouched": ("(+8)", "exact"),
    "fresh_written": ("(+7)", "exact"),
    "merge_mmap_after": ("(+7)", "-1"),
    "merge_brk": ("(+7)", "-1"),
    "reused_range": ("(+4)", "-4"),
    "mprotect_stale_pte": ("exact", "-1"),
    "stale_tlb": ("-20", "-20"),
    "thp_byte": ("(+511)", "(+511)"),
}


def test_the_suite_meaning_finds_what_the_thread_of_v6_was_about(tmp_path, image):
    """Merge noise with v6, none with NO_REUSED_REGIONS, which loses the reproducer's write; and no TLB flush."""
    folder = tmp_path / "v6"
    done = bench("run", "--suite", "meaning", "--kernel", v6_kernel(), "--values", "2", "--name", folder)
    assert done.returncode == 0, done.stderr
    found = verdicts.load(folder)
    seen = {key: tuple(found.cells[key, name].text() for name in ("v6", "v6-no-reused")) for key in KNOWN_V6}
    assert seen == KNOWN_V6


CASES = {
    1: "stage.write(mapping[1])",
    2: "stage.write(mapping[2])",
    3: "open('/proc/sysrq-trigger', 'w').write('c')",
    4: "stage.write(mapping[4])",
    5: "exec('while True: pass')",
    6: "stage.write(mapping[6])",
}
CASE = '''"""Case {number}.

Made by a test.
"""

THEME = "plain writes"


def play(stage):
    """Do it."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    {what}
    stage.collect()
'''


def test_a_guest_that_crashes_in_the_third_scenario_and_a_play_that_hangs_in_the_fifth_leave_the_others(tmp_path):
    """By a real kernel: sysrq makes it oops, on purpose."""
    with copies.copy([]) as tree:
        for number, what in CASES.items():
            (tree / f"workloads/case_{number}.py").write_text(CASE.format(number=number, what=what))
        words = ["--suite", "meaning", "--filter", "case_*", "--values", "2", "--kernel", "debian:6.12"]
        words += ["--interface", "scan-wp", "--name", str(tmp_path / "cases")]
        command = [tree / "bench.py", "run", *words]
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=400)
    assert done.returncode == 1, done.stderr
    cells = verdicts.load(tmp_path / "cases").cells
    ends = {number: {cell.kind for (name, _), cell in cells.items() if name == f"case_{number}"} for number in CASES}
    assert ends == {number: {3: {"crashed"}, 5: {"hung"}}.get(number, {"exact"}) for number in CASES}
    assert len(cells) == len(CASES)
    assert all("sysrq" in cell.why.lower() for (name, _), cell in cells.items() if name == "case_3")
