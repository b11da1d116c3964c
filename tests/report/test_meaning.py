# SPDX-License-Identifier: GPL-2.0-only
"""Results of the suite meaning as text and csv."""

import csv
import io
import re

import pytest

from bench.plan import catalogue
from bench.plan.interfaces import WRITTEN, Reason
from bench.plan.records import Failed, Messages, Plays, encode
from bench.report import ktap, meaning, pages, verdict_changes, verdict_tables
from bench.store import log, verdicts
from tests import synthetic
from tests.support import bench
from tests.texts import assert_mailable, words


@pytest.fixture
def one(tmp_path):
    return verdicts.load(synthetic.played(tmp_path / "one"))


@pytest.fixture
def several(tmp_path):
    better = synthetic.PLAYED | {("merge_mmap_after", "clear_refs"): [Plays(100, written=1)]}
    runs = {"6.1.176-cloud": synthetic.PLAYED, "6.18.15+deb13": synthetic.PLAYED, "7.3.4+deb13": better}
    return [verdicts.load(synthetic.played(tmp_path / release, release, made)) for release, made in runs.items()]


def test_a_report_is_mailable_and_says_it_all(one):
    text = pages.meant([one], everything=True)
    assert_mailable(text)
    rows = [line.split() for line in text.splitlines()]
    for row in (
        "plain exact exact",
        "merge_mmap_after +7 exact",
        "fork_child_writes (+3) -1",
        "writers_separate -4~ exact",
        "swapped no:a no:a",
        "clear_refs 1 1 1 1 1",  # exact, documented, worse, broken, not possible
        "scan-wp 3 1 1",
    ):
        assert row.split() in rows
    flat = words(text)
    assert "Not possible on this machine: a = there is # no swap (swapon)" in flat
    assert "Lacking: uffd-sync: userfaultfd is refused (allow it)" in flat
    assert "Not the same each time: writers_separate: clear_refs missed in 3 of 100 plays." in flat
    assert f"merge_mmap_after: {catalogue.summary('merge_mmap_after')}" in flat
    assert "contract: new memory counts" in flat
    assert "./bench.py run --suite meaning" in flat


def test_steady_results_say_so(tmp_path):
    runs = {key: value for key, value in synthetic.PLAYED.items() if key[0] != "writers_separate"}
    text = pages.meant([verdicts.load(synthetic.played(tmp_path / "steady", runs=runs))])
    assert "Every scenario ended the same way each time" in text
    assert "Not the same" not in text


def test_the_cost_of_extra_pages(one):
    cost = meaning.cost(one)
    rows = {line.split()[0]: line.split()[1:] for line in cost.splitlines() if line.startswith(("  merge", "  fork"))}
    assert rows == {
        "merge_mmap_after": ["clear_refs", "4", "32", "0.70"],
        "fork_child_writes": ["clear_refs", "4", "16", "0.30"],
    }
    assert "100 ns" in cost


def test_kernels_are_columns(several):
    text = pages.meant(several)
    assert_mailable(text)
    assert "scenario             6.1.176  6.18.15  7.3.4" in text
    assert re.search(r"merge_mmap_after +\+7 +\+7 +exact", text)
    assert "Exact on each: plain." in text
    assert re.search(
        r"  clear_refs\n    6.1.176 +1 +1 +1 +1 +1\n    6.18.15 +1 +1 +1 +1 +1\n    7.3.4 +2 +1 +1 +1\n", text
    )
    assert "writers_separate: clear_refs on 6.1.176 missed in 3 of 100, clear_refs on 6.18.15 missed" in words(text)
    assert text.count("by kernel") == 2, "a table for each interface that works somewhere"


def test_debians_kernels_are_called_by_their_upstream_version(tmp_path):
    debian = {"release": "6.1.0-50-cloud-amd64", "kernel_version": "#1 SMP Debian 6.1.176-1 (2026-11-01)"}
    assert verdicts.load(synthetic.played(tmp_path / "old", **debian)).kernel == "6.1.176"
    assert verdicts.load(synthetic.played(tmp_path / "own", release="7.3.0-rc1-mine+")).kernel == "7.3.0"


def test_two_results_of_one_kernel_have_names(tmp_path):
    results = [verdicts.load(synthetic.played(tmp_path / name)) for name in ("first", "second")]
    assert verdict_tables.headings(results) == ["first", "second"]


@pytest.mark.parametrize("kernels", [1, 5, 9])
def test_wide_tables_are_cut(tmp_path, kernels):
    names = ["clear_refs", "scan-softdirty", "scan-wp", "v6", "v6-no-reused", "mprotect", "more-of-it", "and_more"]
    every = list(catalogue.scenarios(WRITTEN))
    runs = {(s, name): [Plays(9, extra=511, missed=512)] for s in every for name in names}
    made = [
        verdicts.load(synthetic.played(tmp_path / f"r{i}", f"6.{i}.117-rc7-my-own", runs, names, every))
        for i in range(kernels)
    ]
    text = pages.meant(made, everything=True)
    assert_mailable(text)
    assert text.count("(+511-512)") == len(every) * len(names) * kernels


def test_every_scenario_of_this_version_is_mailable(tmp_path):
    every = list(catalogue.scenarios())
    assert_mailable(pages.meant([verdicts.load(synthetic.played(tmp_path / "all", scenarios=every))], everything=True))
    assert max(map(len, every)) <= 24, "the tables have no room for longer names"


def test_kernels_come_in_order_with_their_distribution_and_machine(tmp_path):
    versions = {"7.3.0": "", "6.12.9": "", "7.3.0-rc1": "", "6.1.0-50-cloud": "#1 SMP Debian 6.1.176-1 (2026-11-01)"}
    made = [verdicts.load(synthetic.played(tmp_path / name, name, kernel_version=v)) for name, v in versions.items()]
    made[0].host["where"] = "tcg"
    assert [one.name for one in verdict_tables.ordered(made)] == ["6.1.0-50-cloud", "6.12.9", "7.3.0-rc1", "7.3.0"]
    text = pages.meant(made[:2] + made[3:])
    assert re.search(r"scenario +6.1.176  6.12.9  7.3.0\n +Debian *\n +KVM +KVM +TCG\n", text)
    assert "Machine of 6.1.176, 6.12.9, 7.3.0:" in text, "alike but for the kernel"


def test_results_of_both_properties_are_told_apart(tmp_path):
    """Each interface has its own scenarios in tables by kernel; words name what should have been reported."""
    done = [Plays(1, extra=1, broken=1, written=1)]
    made = []
    for release in ("6.12.1", "7.3.4"):
        runs = {("plain", "clear_refs"): done, ("accessed_read", "rwp-async"): done}
        path = synthetic.played(
            tmp_path / release, release, runs, ["clear_refs", "rwp-async"], ["plain", "accessed_read"]
        )
        made.append(verdicts.load(path))
    text = pages.meant(made)
    assert_mailable(text)
    whole = " ".join(text.split())
    first, second = (whole.index(f"{name}: pages reported against pages {did}, by kernel")
                     for name, did in (("clear_refs", "changed"), ("rwp-async", "accessed")))  # fmt: skip
    assert "accessed_read" not in whole[first:second]
    assert "plain" not in whole[second:].partition("exact: just the pages")[0]
    assert "whose content changed or that were accessed" in whole
    changed = " ".join(verdict_changes.markdown(made).split())
    assert "that nobody changed or accessed" in changed
    assert verdict_tables.split("clear_refs-1") == ("clear_", "refs-1")


def test_scenarios_stand_below_their_themes(one):
    lines = [line.strip() for line in pages.meant([one]).splitlines()]
    table = lines[lines.index(next(line for line in lines if line.startswith("scenario "))) :]
    found = [line for line in table if line in catalogue.THEMES]
    assert found == [theme for theme in catalogue.THEMES if theme in found]
    assert lines.index("plain writes") < lines.index(next(line for line in lines if line.startswith("plain  ")))


PATHS = ("scan-wp", "scan-wp-general", "scan-wp-inverted")


def test_a_path_that_never_differs_has_no_column_and_one_that_does_has_a_line(tmp_path):
    runs = {("plain", "scan-wp-general"): [Plays(9, extra=2, broken=2, surplus=2)]}
    runs |= {
        ("writers_separate", name): [Plays(5), Plays(4, missed=i + 1, broken=i + 1)] for i, name in enumerate(PATHS)
    }
    made = [
        verdicts.load(synthetic.played(tmp_path / "old", "6.12.1", runs, PATHS)),
        verdicts.load(synthetic.played(tmp_path / "new", "7.3.4", {}, PATHS)),
    ]
    text = pages.meant(made)
    assert_mailable(text)
    assert "scan-wp-inverted: as scan-wp in every scenario." in text
    rows = [line.split() for line in text.split("Where the paths of scan-wp differ")[1].splitlines()]
    assert ["plain", "6.12.1", "exact", "+2"] in rows
    assert sum("writers_separate" in row for row in rows) <= 1, "how many a race loses is luck"
    assert text.count("by kernel") == 1
    assert "scan-wp-inverted" not in pages.meant(made[:1]).split("as scan-wp")[1]


def test_why_is_said_once_and_what_has_no_source_is_called_unexplained(tmp_path, monkeypatch):
    why = "areas that merge take VM_SOFTDIRTY along (vma_merge() in mm/vma.c, until 7.0)"
    known = catalogue.entries() | {
        name: catalogue.Entry(name, "Areas merge.", scenario=True, theme="merged areas", why={"soft-dirty": why})
        for name in ("merge_one", "merge_two")
    }
    monkeypatch.setattr(catalogue, "entries", lambda: known)
    worse = [Plays(3, extra=7, broken=7, written=1, surplus=7)]
    names = ("clear_refs", "scan-softdirty", "scan-wp")
    runs = {(scenario, name): worse for scenario in ("merge_one", "merge_two") for name in names[:2]}
    runs |= {("plain", "scan-wp"): [Plays(3, missed=1, broken=1, written=1)], ("merge_one", "scan-wp"): worse}
    old = verdicts.load(synthetic.played(tmp_path / "old", "6.12.1", runs, names, ("plain", "merge_one", "merge_two")))
    new = verdicts.load(synthetic.played(tmp_path / "new", "7.3.4", {}, names, ("plain", "merge_one", "merge_two")))
    said = words(pages.meant([old]))
    assert f"merge_one, merge_two with clear_refs, scan-softdirty: {why}" in said
    assert said.count(why) == 1
    unknown = "Unexplained, 2 verdicts of a scenario and interface: plain, merge_one with scan-wp"
    assert unknown in said
    both = words(pages.meant([old, new]))
    assert f"{unknown} on 6.12.1" in both
    assert set(meaning.frame([old, new])["explanation"]) == {"", why}


def test_what_crashed_comes_first_with_what_the_kernel_said(tmp_path):
    runs = {
        ("plain", "scan-wp"): [Plays(1, failed="BUG: kernel NULL pointer dereference", ended="crashed")],
        ("fork_child_writes", "clear_refs"): [Plays(1, failed="it did not end within 20 s", ended="hung")],
        ("merge_mmap_after", "scan-wp"): [Plays(1, failed="read fails: Bad address", ended="breaks")],
        ("swapped", "scan-wp"): [Plays(1, why="EPERM", ended="refused")],
        ("swapped", "clear_refs"): [Plays(1, why="it has no such call")],
    }
    made = verdicts.load(synthetic.played(tmp_path / "bad", runs=runs))
    text = pages.meant([made])
    assert_mailable(text)
    said = words(text)
    assert "CRASHED: scan-wp, plain: BUG: kernel NULL pointer dereference. HUNG: clear_refs, fork" in said
    assert said.startswith(("CRASHED", "HUNG"))
    assert "BREAKS" not in said
    assert "Broken: with it a call of the tracked program fails: a = read fails: Bad address" in said
    assert "Refused: the kernel says so with an error, and who asked knows that it must start anew: b = EPERM" in said
    assert "the kernel none that the scenario needs: c = it has no such call" in said
    rows = [line.split() for line in text.splitlines()]
    assert ["swapped", "n/a:c", "refused:b"] in rows
    assert ["merge_mmap_after", "exact", "breaks:a"] in rows
    assert "CRASHED on 6.12.117: scan-wp, plain: BUG" in words(
        pages.meant([made, verdicts.load(synthetic.played(tmp_path / "other", "7.3.4"))])
    )


def test_csv_has_a_line_per_verdict(several):
    rows = list(csv.DictReader(io.StringIO(meaning.as_csv(several))))
    assert len(rows) == 3 * 5 * 3
    first = next(row for row in rows if row["scenario"] == "merge_mmap_after")
    assert (first["kernel"], first["interface"], first["verdict"]) == ("6.1.176", "clear_refs", "extra")
    assert (first["extra_pages"], first["missed_pages"], first["plays"]) == ("7", "0", "100")


def test_several_results_in_one_table(tmp_path):
    folders = [synthetic.played(tmp_path / release, release) for release in ("6.1.1", "6.12.2")]
    done = bench("report", *folders, "--name", tmp_path / "both")
    assert done.returncode == 0, done.stderr
    assert_mailable(done.stdout)
    assert "6.1.1  6.12.2" in done.stdout
    assert {path.name for path in (tmp_path / "both").iterdir()} == {"report.txt", "meaning.png", "meaning.svg"}
    lines = bench("report", *folders, "--format", "csv").stdout.splitlines()
    assert len(lines) == 1 + 2 * 5 * 3


def test_what_is_to_be_known_of_the_file_is_said(tmp_path):
    with (synthetic.played(tmp_path) / log.FILE).open("a") as file:
        file.write(encode(Failed(0, "plain with mprotect", "it hung")) + '\n{"type":"pl')
    text = pages.meant([verdicts.load(tmp_path)])
    assert_mailable(text)
    assert "The last line of records.jsonl is torn" in words(text)
    assert "A job failed: plain with mprotect: it hung." in words(text)


def test_where_the_clock_counts_instructions_what_is_lost_is_instructions(tmp_path):
    text = meaning.cost(verdicts.load(synthetic.played(tmp_path, where="tcg-icount")))
    assert re.search(r"merge_mmap_after +clear_refs +4 +32 +700\n", text)
    assert "100 instructions, what it takes to copy a page" in words(text)
    assert not re.search(r"\bus\b|\bns\b", text)


def test_what_a_probe_was_answered_wrong_comes_first(tmp_path):
    finding = {"scan-wp": "asked for PAGE_IS_WRITTEN of 8 pages after page 5 was written: reported none (missed 5)"}
    folder = synthetic.played(tmp_path / "wrong", findings=finding, messages=[Messages(0, {}, [])])
    text = pages.meant([verdicts.load(folder)])
    assert_mailable(text)
    assert words(text).startswith(f"WRONG: scan-wp: {finding['scan-wp']}. ")
    assert "Kernel log: clean." in words(text)
    other = synthetic.played(tmp_path / "other", "7.3.4")
    both = words(pages.meant([verdicts.load(other), verdicts.load(folder)]))
    assert re.match(r"WRONG: 6\.12\.117: scan-wp: asked for ", both)


def test_a_draft_that_is_absent_is_not_missed(tmp_path):
    """v6 is played where a kernel has it; where not, nobody asked for it."""
    folder = synthetic.played(tmp_path / "one")
    plan, machine, *rest = log.read(folder / log.FILE)[0]
    absent = machine.unavailable | {"v6": Reason("no such ioctl", "boot another")}
    lines = [plan._replace(interfaces=(*plan.interfaces, "v6")), machine._replace(unavailable=absent), *rest]
    synthetic.write(folder, lines)
    assert "Lacking: v6: no such ioctl" in words(pages.meant([verdicts.load(folder)]))
    synthetic.write(folder, [lines[0]._replace(optional=("v6",)), *lines[1:]])
    found = verdicts.load(folder)
    assert "v6" not in pages.meant([found])
    assert "v6" not in "\n".join(ktap.ktap(found))
    assert "INCOMPLETE" not in pages.meant([found])
