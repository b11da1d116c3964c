# SPDX-License-Identifier: GPL-2.0-only
"""The report says what was measured, how sure it is, and first of all what was wrong."""

import re

import pytest

from bench.errors import BadInput, PermissionDenied
from bench.plan.records import Failed, Machine, Plan, Timed
from bench.report import pages
from bench.store import frames, log
from plots import drawing
from tests import synthetic
from tests.texts import FEW, assert_golden, assert_mailable, words


def make(tmp_path, **options):
    """Return the text of a synthetic result's report as one line of words, without drawing the plots."""
    made = pages.read(synthetic.result(tmp_path, **({"what": FEW} | options)))
    text = pages.page(made)
    assert_mailable(text)
    assert_mailable(pages.everything(made))
    return words(text)


def composed(made, rows):
    return words(pages.page(made._replace(rows=rows)))


def test_whole_report(tmp_path):
    synthetic.result(tmp_path / "example", memory_bytes=4 << 30, disturbances="swap is on (1 MiB)")
    made = pages.write(tmp_path / "example", drawing.every)
    text = pages.page(made)
    assert_mailable(text)
    assert len(text.splitlines()) < 75, "one page"
    assert (tmp_path / "example/report.txt").read_text() == text
    assert_golden("report.txt", text.rstrip("\n"))
    assert_mailable(pages.everything(made))
    assert_golden("everything.txt", pages.everything(made).rstrip("\n"))


def test_writes_text_and_plots_and_leaves_nothing_else(tmp_path):
    folder = tmp_path / "example"
    synthetic.result(folder, what=FEW)
    made = pages.write(folder, drawing.every)
    assert {"mapping_size", "phases"} <= set(made.drawn)
    plots = [f"{name}.{kind}" for name in made.drawn for kind in ("png", "svg")]
    assert sorted(p.name for p in folder.iterdir()) == sorted([log.FILE, "report.txt", *plots])
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    pages.write(folder, drawing.every)
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
    assert "Over 5 points: scan-wp atomic is faster at 4 and slower at 1. The speedup goes from " in text
    assert re.search(
        r"from 0\.9\dx \(all, 1000 pages\) to \d\.\d+x \(strided 10%, 1000 pages\), at the \d of them above", text
    )


def test_slower_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(synthetic.COST, "scan-wp", (100e-6, 1e-7, 1e-7, 1e-6))
    assert "Over 5 points: scan-wp atomic is slower at each." in make(tmp_path)


def test_too_few_processes_claim_no_confidence(tmp_path):
    text = make(tmp_path, processes=3)
    assert "(range of 3 processes, a 75% CI; 95% needs 6)" in text
    assert "and slower at 1 (all 3 processes agree)" in text
    assert "95% CI, 3" not in text


def test_no_difference_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(synthetic.COST, "clear_refs", (1e-6, 0, 0, 60e-9))
    monkeypatch.setitem(synthetic.COST, "scan-wp", (1.25e-6, 0, 0, 60e-9))  # atomic: one call, no quarter more
    assert "Over 5 points: at 5 the two can't be told apart." in make(tmp_path, noise=0.2)


def test_one_point_has_no_range_of_points(tmp_path):
    text = make(tmp_path, what=[("random", 100, 10.0)])
    assert "as fast" in text
    assert "Over" not in text
    assert "goes from" not in text


def test_counted_instructions_are_told_as_what_they_are(tmp_path):
    made = pages.read(synthetic.result(tmp_path / "counted", what=FEW, where="tcg-icount", processes=10, boots=5))
    text = words(pages.page(made))
    assert re.match(
        r"One tracking interval with scan-wp atomic executes 2\.\d\dx fewer instructions than with clear_refs \+ "
        r"pagemap: 14\.5 k against 40\.0 k \(random 10%, 1000 pages; spread over 5 boots below 0\.0?1%; says nothing "
        r"about hardware\)\. Over 5 points: scan-wp atomic executes fewer instructions at 4 and more at 1\. ",
        text,
    )
    assert "these are instructions, not cycles" in text
    report = words(pages.everything(made))
    assert not re.search(r"\bus\b|\bns\b|speedup|faster|slower|as fast|95% CI", report.partition("Machine:")[0])
    assert_golden("counted-report.txt", pages.page(made).rstrip("\n"))


def test_boots_that_do_not_repeat_are_doubted(tmp_path):
    text = make(tmp_path, where="tcg-icount", processes=10, boots=5, noise=0.03)
    assert re.search(
        r"Doubt: In \d+ of 20 cases the boots differ from their median by more than 1%: up to \d\.\d%", text
    )
    assert "spread over 5 boots up to" in text
    alone = make(tmp_path, where="tcg-icount", processes=1)
    assert "1 process only; says nothing about hardware" in alone
    assert "Too few runs to say how sure a median is: 1 process; it takes two." in alone


def test_costs_lost_in_noise_are_no_speedup(tmp_path):
    made = pages.read(synthetic.result(tmp_path, what=[("random", 100, 10.0)]))
    assert "No speedup: lost in noise." in composed(made, made.rows.assign(cost=-1e-6))


def test_a_headline_that_is_hardly_known_is_withheld(tmp_path):
    text = make(tmp_path / "noisy", noise=0.4)
    assert re.match(
        r"WITHHELD: the speedup of scan-wp atomic over clear_refs \+ pagemap \(random 10%, 1000 pages\): what is known "
        r"of it is \d+% wide \(95% CI, 6 processes\), more than 25%\. Measure more \(--processes, --boots\), or ",
        text,
    )
    assert "as fast" not in text.partition("Over ")[0]
    assert "WITHHELD" not in make(tmp_path / "quiet")
    alone = make(tmp_path / "alone", noise=0.4, interfaces=["none", "scan-wp"])
    assert re.match(r"WITHHELD, since it is known to no better than 25%: that of scan-wp, scan-wp atomic\. ", alone)


def test_the_floor_of_clear_refs_is_told_and_small_mappings_are_no_headline(tmp_path):
    what = [("idle", 1, 0.0), *(("random", pages, 10.0) for pages in (1, 10, 100, 10000, 65536))]
    text = make(tmp_path, what=what)
    assert "Floor of clear_refs: it walks the whole process, here a worker. With nothing written to a mapping" in text
    assert "us; at 2 of 6 points it is at least 2 times as much" in text
    assert re.search(
        r"The speedup goes from \S+ \(random 10%, 65536 pages\) to \S+ \(random 10%, 10000 pages\), at the 2 ", text
    )
    assert "Floor of" not in make(tmp_path / "other", what=what[1:]), "it was not measured"


def test_medians_that_contradict_the_pairs_are_called_noise(tmp_path):
    made = pages.read(synthetic.result(tmp_path, what=[("random", 100, 10.0)], rounds=1))
    rows = made.rows
    more = [9, 8, 7, 3, 2, 1], [8.5, 7.5, 6.5, 6, 1.5, 0.5]
    base, new = ([1e-5 + 1e-7 * x for x in some] for some in more)
    for form, costs in (("clear_refs", base), ("scan-wp atomic", new)):
        rows.loc[rows["form"] == form, "cost"] = costs
    text = composed(made, rows)
    assert "1.00x as fast" in text
    assert "by the medians (0.99x) the answer differs: too noisy to tell." in text
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
    assert "and 5 more cases; ./bench.py report NAME --all shows each" in text


def test_exact_says_so(tmp_path):
    text = make(tmp_path)
    assert "WRONG" not in text
    assert "1920 intervals in 30 runs, all exact" in text
    assert "INCOMPLETE" not in text


def test_incomplete_run_is_named(tmp_path):
    assert "INCOMPLETE: 30 of 135 planned runs." in make(tmp_path, planned=27)


def test_only_the_ioctl(tmp_path):
    why = {"clear_refs": "written pages do not become soft-dirty"}
    synthetic.result(tmp_path, what=FEW, interfaces=["none", "scan-wp"], unavailable=why)
    text = words(pages.page(pages.write(tmp_path, drawing.every)))
    assert "No speedup: clear_refs was not measured (written pages do not become soft-dirty)." in text
    assert "Not measured: clear_refs: written pages do not become soft-dirty." in text
    assert "Not drawn: ratio_heatmap" in text


def test_only_clear_refs(tmp_path):
    why = {"scan-wp": "the kernel has no PAGEMAP_SCAN ioctl"}
    text = make(tmp_path, interfaces=["none", "clear_refs"], unavailable=why, kernel_release="6.1.0-31-amd64")
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
            "these are instructions, not cycles: no caches",
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
        pages.write(tmp_path, drawing.every)


def test_folder_that_can_not_be_written(tmp_path):
    synthetic.result(tmp_path, what=FEW)
    (tmp_path / "report.txt").mkdir()  # root may write everywhere, but not a file over a folder
    with pytest.raises(PermissionDenied, match=r"report\.txt"):
        pages.write(tmp_path, drawing.every)


def test_costs_that_noise_made_negative_leave_no_finding_and_no_traceback(tmp_path, monkeypatch):
    for interface in ("clear_refs", "scan-wp"):
        monkeypatch.setitem(synthetic.COST, interface, (1e-9, 0, 0, -39e-9))
    synthetic.result(tmp_path, what=[("random", 1000, 10.0)])
    text = words(pages.page(pages.write(tmp_path, drawing.every)))
    assert "No speedup: lost in noise." in text
    assert "ratio_heatmap (every ratio is lost in noise)" in text
    assert "?" not in text


def test_what_differs_from_boot_to_boot_is_still_told(tmp_path):
    synthetic.result(tmp_path, what=FEW, boots=2)
    found, _ = log.read(tmp_path / log.FILE)
    changed = [
        one._replace(facts=one.facts | {"memory_bytes": (4 << 30) + 4096 * one.boot, "load_average": float(one.boot)})
        if isinstance(one, Machine)
        else one
        for one in found
    ]
    synthetic.write(tmp_path, changed)
    text = pages.page(pages.read(tmp_path))
    assert "RAM, MiB: 4096" in text


def test_what_a_reader_must_know_of_the_file_is_said(tmp_path):
    """A job that failed, a line that a kill has torn."""
    synthetic.result(tmp_path, what=FEW)
    with (tmp_path / log.FILE).open("a") as file:
        failed = log.records.encode(Failed(0, "random pages=1000 dirty=10%, process 6", "it died (-11)"))
        file.write(f'{failed}\n{{"type":"timed","boot":0,"po')
    text = words(pages.page(pages.read(tmp_path)))
    assert "The last line of records.jsonl is torn" in text
    assert "A job failed: random pages=1000 dirty=10%, process 6: it died (-11)." in text


def test_a_log_cut_anywhere_gives_the_tables_of_what_had_finished(tmp_path):
    """As kill -9 of the runner leaves it, whatever it was writing."""
    whole = synthetic.result(tmp_path / "whole", what=FEW[:3], processes=4, rounds=1)
    data = (whole / log.FILE).read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]
    found, _ = log.read(whole / log.FILE)
    cuts = {*range(0, len(data), 487), *ends, *(end - 1 for end in ends), *(end + 1 for end in ends[:-1])}
    seen = set()
    for cut in sorted(cuts):
        finished = sum(end <= cut for end in ends)
        part, same = tmp_path / "part", tmp_path / "same" / "part"
        part.mkdir(exist_ok=True)
        (part / log.FILE).write_bytes(data[:cut])
        if not any(isinstance(one, Timed) for one in found[:finished]):
            with pytest.raises(BadInput) as refused:
                pages.read(part)
            assert refused.value.hint
            continue
        synthetic.write(same, found[:finished])
        torn = frames.load(part)
        assert [note for note in torn.notes if "torn" in note] == ([] if cut in ends else torn.notes)
        assert bool(torn.notes) == (cut not in ends)
        seen.add(finished)
        expected = frames.load(same)
        assert torn.frame.equals(expected.frame)
        assert (torn.host, torn.planned) == (expected.host, expected.planned)
    assert seen == set(range(3, len(ends) + 1))
    last = pages.read(part)
    assert pages.page(last).replace(str(part), "") == pages.page(pages.read(whole)).replace(
        "results/whole", "results/part"
    )


def test_a_plan_alone_is_no_result_yet(tmp_path):
    plan = Plan("quick", "", "1", ("none",))
    synthetic.write(tmp_path, [plan])
    with pytest.raises(BadInput, match="no values"):
        pages.read(tmp_path)
