# SPDX-License-Identifier: GPL-2.0-only
"""The report says what was measured, how sure it is, and first of all what was wrong."""

import json
import re

import pytest

from bench import report, results
from bench.errors import BadInput, PermissionDenied
from tests import synthetic
from tests.test_tables import assert_golden, assert_mailable

FEW = [("idle", 1, 0.0), ("random", 100, 10.0), ("random", 1000, 10.0), ("all", 1000, 100.0), ("strided", 1000, 10.0)]


def make(tmp_path, **options):
    """Return the text of a synthetic result's report as one line of words, without drawing the plots."""
    loaded = results.load(synthetic.suite(tmp_path / "suite.json", **({"what": FEW} | options)))
    made = report.Report("example", results.intervals(loaded.frame), loaded.host, [], [])
    text = report.page(made)
    assert_mailable(text)
    assert_mailable(report.everything(made))
    return " ".join(text.split())


def composed(rows, host):
    return " ".join(report.page(report.Report("", rows, host, [], [])).split())


def test_whole_report(tmp_path):
    synthetic.suite(tmp_path / "example" / "suite.json", memory_bytes=4 << 30, disturbances="swap is on (1 MiB)")
    made = report.write(tmp_path / "example")
    text = report.page(made)
    assert_mailable(text)
    assert len(text.splitlines()) < 75, "one page"
    assert (tmp_path / "example/report.txt").read_text() == text
    assert_golden("report.txt", text.rstrip("\n"))
    assert_mailable(report.everything(made))
    assert_golden("everything.txt", report.everything(made).rstrip("\n"))


def test_writes_text_and_plots_and_leaves_nothing_else(tmp_path):
    folder = tmp_path / "example"
    synthetic.suite(folder / "suite.json", what=FEW)
    report.write(folder)
    names = ("dirty_fraction", "distribution", "drift", "phases", "speedup_heatmap", "time_vs_pages")
    plots = [f"{name}.{kind}" for name in names for kind in ("png", "svg")]
    assert sorted(p.name for p in folder.iterdir()) == sorted(["suite.json", "report.txt", *plots])
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    report.write(folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_finding_follows_from_the_data(tmp_path):
    text = make(tmp_path, noise=0.001)
    cost = {
        (interface, atomic): sum(phases.values()) - 40e-9 * 100
        for interface, atomic in (("clear_refs", False), ("scan-wp", True))
        for phases in [synthetic.phases(interface, atomic, 1000, 100)]
    }
    expected = cost["clear_refs", False] / cost["scan-wp", True]
    found = re.search(r"\(random 10%, 1000 pages\): ([\d.]+)x as fast, ([\d.]+)x to ([\d.]+)x \(95% CI", text)
    middle, low, high = map(float, found.groups())
    assert middle == pytest.approx(expected, rel=0.01)
    assert low <= middle <= high
    assert (
        "Of 5 points, each by its own interval, scan-wp atomic is faster in 4, slower in 1, and in 0 no difference"
        in text
    )
    assert re.search(r"from 0\.9\dx \(all, 1000 pages\) to 6\.\d+x \(idle, 1 page\)", text)


def test_slower_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(synthetic.COST, "scan-wp", (100e-6, 1e-7, 1e-7, 1e-6))
    assert "is faster in 0, slower in 5" in make(tmp_path)


def test_too_few_processes_claim_no_confidence(tmp_path):
    text = make(tmp_path, processes=3)
    assert "(range of 3 processes, a 75% CI; 95% needs 6)" in text
    assert "slower in 1 (all 3 processes agree), and in" in text
    assert "95% CI, 3" not in text


def test_no_difference_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(synthetic.COST, "clear_refs", (1e-6, 0, 0, 60e-9))
    monkeypatch.setitem(synthetic.COST, "scan-wp", (1.25e-6, 0, 0, 60e-9))  # atomic: one call, no quarter more
    assert "is faster in 0, slower in 0, and in 5 no difference can be told" in make(tmp_path, noise=0.2)


def test_costs_lost_in_noise_are_no_speedup(tmp_path):
    loaded = results.load(synthetic.suite(tmp_path / "suite.json", what=[("random", 100, 10.0)]))
    rows = results.intervals(loaded.frame).assign(cost=-1e-6)
    assert "No speedup: lost in noise." in composed(rows, loaded.host)


def test_medians_that_contradict_the_pairs_are_called_noise(tmp_path):
    loaded = results.load(synthetic.suite(tmp_path / "suite.json", what=[("random", 100, 10.0)], rounds=1))
    rows = results.intervals(loaded.frame)
    base, new = [9e-6, 8e-6, 7e-6, 3e-6, 2e-6, 1e-6], [8.5e-6, 7.5e-6, 6.5e-6, 6e-6, 1.5e-6, 0.5e-6]
    for form, costs in (("clear_refs", base), ("scan-wp atomic", new)):
        rows.loc[rows["form"] == form, "cost"] = costs
    text = composed(rows, loaded.host)
    assert "1.07x as fast" in text
    assert "by the medians (0.80x) the answer differs: too noisy to tell." in text
    assert "the answer differs" not in make(tmp_path)


def test_wrong_pages_come_first(tmp_path):
    text = make(tmp_path, wrong={("scan-wp", "random", 1000): (0, 7)})
    assert text.startswith("WRONG PAGES: 6 of 1920 intervals did not report exactly the pages that were written.")
    assert "scan-wp, random 10%, 1000 pages: 6 of 96 intervals; 0 pages reported but not written, 42 written" in text
    assert "not all exact" in text


def test_many_wrong_points_are_counted(tmp_path):
    wrong = {(f, w, p): (1, 0) for f in ("clear_refs", "scan-wp") for w, p, _ in FEW}
    text = make(tmp_path, wrong=wrong)
    assert text.count(" pages reported but not written") == 5
    assert "and 5 more; see" in text


def test_exact_says_so(tmp_path):
    text = make(tmp_path)
    assert "WRONG" not in text
    assert "1920 intervals in 30 runs, all exact" in text
    assert "INCOMPLETE" not in text


def test_incomplete_run_is_named(tmp_path):
    assert "INCOMPLETE: 30 of 135 planned runs." in make(tmp_path, planned_runs=135)


def test_only_the_ioctl(tmp_path):
    why = {"unavailable:clear_refs": "written pages do not become soft-dirty"}
    synthetic.suite(tmp_path / "suite.json", what=FEW, interfaces=["none", "scan-wp"], **why)
    text = " ".join(report.page(report.write(tmp_path)).split())
    assert "No speedup: clear_refs was not measured (written pages do not become soft-dirty)." in text
    assert "Not measured: clear_refs: written pages do not become soft-dirty." in text
    assert "Not drawn: speedup_heatmap" in text


def test_only_clear_refs(tmp_path):
    why = {"unavailable:scan-wp": "the kernel has no PAGEMAP_SCAN ioctl", "kernel_release": "6.1.0-31-amd64"}
    text = make(tmp_path, interfaces=["none", "clear_refs"], **why)
    assert "No speedup: scan-wp was not measured (the kernel has no PAGEMAP_SCAN ioctl)." in text
    assert "Linux 6.1.0-31-amd64" in text


def test_interface_that_was_not_asked_for(tmp_path):
    assert "clear_refs was not measured (not asked for)" in make(tmp_path, interfaces=["none", "scan-wp"])


@pytest.mark.parametrize(
    ("where", "title", "caveat"),
    [
        ("tcg", "TCG emulation", "ratios are indicative only"),
        (
            "tcg-icount",
            "TCG, instructions counted",
            "counts instructions (1 instruction = 1 ns), not cycles: no caches",
        ),
        ("kvm", "KVM", "in a virtual machine"),
        ("vm-microsoft hv", "VM: microsoft hv", "in a virtual machine"),
    ],
)
def test_a_guest_is_not_a_machine(tmp_path, where, title, caveat):
    text = make(tmp_path, where=where)
    assert f"Linux {synthetic.HOST['kernel_release']}, {title}" in text
    assert caveat in text


def test_bare_metal_needs_no_caveat(tmp_path):
    text = make(tmp_path, where="bare-metal")
    assert ", bare metal" in text
    assert "emulation" not in text
    assert "virtual machine" not in text


@pytest.mark.parametrize("what", [[("idle", 1, 0.0)], [("hotset", 300, 33.3)], [("random", 1, 100.0)], FEW[1:2]])
@pytest.mark.parametrize("processes", [1, 2])
def test_small_results(tmp_path, what, processes):
    text = make(tmp_path, what=what, processes=processes, rounds=1)
    assert " 1 points" not in text
    assert f"in {processes} run{'s' if processes > 1 else ''}, all exact" in text


def test_host_that_is_hostile_to_mail(tmp_path):
    host = {
        "cmdline": "#" * 300,
        "cpu_model_name": "Gerät™ " * 12 + "diff -",
        "command": "./bench.py " + "x" * 50 + " b" * 30,
    }
    make(tmp_path, **host)  # make() holds the rules


def test_missing_result(tmp_path):
    with pytest.raises(BadInput):
        report.write(tmp_path)


def test_folder_that_can_not_be_written(tmp_path):
    synthetic.suite(tmp_path / "suite.json", what=FEW)
    (tmp_path / "report.txt").mkdir()  # root may write everywhere, but not a file over a folder
    with pytest.raises(PermissionDenied, match=r"report\.txt"):
        report.write(tmp_path)


def test_costs_that_noise_made_negative_leave_no_finding_and_no_traceback(tmp_path, monkeypatch):
    for interface in ("clear_refs", "scan-wp"):
        monkeypatch.setitem(synthetic.COST, interface, (1e-9, 0, 0, -39e-9))
    synthetic.suite(tmp_path / "suite.json", what=[("random", 1000, 10.0)])
    text = " ".join(report.page(report.write(tmp_path)).split())
    assert "No speedup: lost in noise." in text
    assert "speedup_heatmap (no speedup that noise would leave)" in text
    assert "?" not in text


def test_what_differs_from_boot_to_boot_is_still_told(tmp_path):
    path = synthetic.suite(tmp_path / "suite.json", what=FEW, boots=2, memory_bytes=4 << 30)
    data = json.loads(path.read_text())
    data["metadata"].pop("memory_bytes")
    for one in data["benchmarks"]:
        for run in one["runs"]:
            run["metadata"] |= {
                "memory_bytes": (4 << 30) + 4096 * run["metadata"]["boot"],
                "load_average": float("nan"),
            }
    path.write_text(json.dumps(data))
    assert "RAM, MiB: 4096" in report.page(report.read(tmp_path))


@pytest.mark.parametrize("key", ["memory_bytes", "planned_runs"])
def test_metadata_of_another_type_is_refused(tmp_path, key):
    synthetic.suite(tmp_path / "suite.json", what=FEW, **{key: "many"})
    with pytest.raises(BadInput, match=f"{key} is no whole number"):
        report.read(tmp_path)
