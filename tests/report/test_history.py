# SPDX-License-Identifier: GPL-2.0-only
"""Kernel after kernel: what is compared with what, what is a step, what is luck, and the page that says so."""

import os

import pytest

from bench.errors import BadInput
from bench.plan.plan import Plan
from bench.plan.records import INSTRUCTIONS, Machine, Played, Plays, Timed
from bench.report import fixes, history_page
from bench.report import history as told
from bench.stats import history, ledger
from bench.store import frames, log, packing, verdicts
from bench.store import history as store
from bench.store import ledger as stored
from plots import drawing
from tests import synthetic
from tests.histories import EXTRA, NAMES, WHAT, counted, five, played
from tests.texts import assert_mailable, words


@pytest.fixture(scope="module")
def top(tmp_path_factory):
    return five(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="module")
def made(top):
    return told.read(top)


def test_each_kernel_is_compared_with_its_own_past():
    known = ["6.1.170", "6.1.176", "6.12.9", "6.12.43", "6.16.3", "7.0.4", "7.0.13"]
    assert sorted(sorted(known), key=store.order) == known
    assert store.before(known) == {
        "6.1.176": "6.1.170",
        "6.12.9": "6.1.170",
        "6.12.43": "6.12.9",
        "6.16.3": "6.12.9",
        "7.0.4": "6.16.3",
        "7.0.13": "7.0.4",
    }


def test_a_step_is_where_the_counts_change_and_has_its_functions(made):
    found = history.steps(made.releases)
    assert {(one.base, one.new, one.change.base.phase) for one in found} == {("6.12.95", "6.16.3", "collect")}
    assert {one.case.form for one in found} == set(NAMES)
    assert {one.case.pages for one in found} == {1000}, "the case of most pages"
    for one in found:
        assert one.ratio == pytest.approx(1.6, rel=0.02)
        assert next(iter(one.change.functions["function"])) == "vm_normal_page"
        assert (one.change.claimed, one.change.cases) == (3, 3)


def test_what_the_values_of_a_kernel_differ_by_is_no_step(tmp_path):
    for version, luck in (("6.12.95", 1), ("6.12.107", 2)):
        counted(tmp_path, version, noise=0.05, luck=luck)
    releases = history.load(tmp_path)
    assert any(
        abs(one.total / releases[1].accounts[key].total - 1) > history.LEAST
        for key, one in releases[0].accounts.items()
    )
    overlapping = [key for key, (low, high) in releases[0].spread.items() if low <= releases[1].spread[key][1]
                   and high >= releases[1].spread[key][0]]  # fmt: skip
    assert overlapping
    assert not any(history.stepped(*releases, key) for key in overlapping)


def test_verdicts_change_along_the_series_and_luck_is_no_change(made):
    ways = {
        (turn.base, turn.new): {(one.scenario, one.interface): one.way for one in turn.changes.changed}
        for turn in history.turns(made.releases)
    }
    assert ways == {
        ("6.12.95", "6.12.107"): {("holes_tables", "scan-wp"): verdicts.BETTER},
        ("6.16.3", "7.3.4"): {
            ("holes_tables", "scan-wp"): verdicts.BETTER,
            ("merge_renewed_last", "clear_refs"): verdicts.BETTER,
        },
    }
    assert history.lucky(made.releases) == {("writers_separate", "clear_refs")}
    runs = [(cell.text(), first, last) for cell, first, last in history.runs(made.releases, "holes_tables", "scan-wp")]
    assert runs == [
        ("+7", "6.12.95", "6.12.95"),
        ("exact", "6.12.107", "6.12.107"),
        ("+7", "6.16.3", "6.16.12"),
        ("exact", "7.3.4", "7.3.4"),
    ]


def test_a_known_change_is_in_the_releases_that_have_it():
    holes = next(one for one in fixes.FIXES if "07b4377bdbe7" in one.source)
    has = [version for version in ("6.1.176", "6.12.95", "6.12.107", "6.16.12", "6.18.15", "6.18.44", "7.2.12", "7.3.4")
           if holes.has(version)]  # fmt: skip
    assert has == ["6.12.107", "6.18.44", "7.2.12", "7.3.4"], "by what was played, the mainline has it from 7.2 on"
    assert holes in fixes.of_verdict("6.12.95", "6.12.107", "holes_tables")
    assert holes in fixes.of_verdict("6.12.107", "6.16.3", "holes_tables"), "one that is not there yet"
    assert not fixes.of_verdict("6.12.107", "6.12.117", "holes_tables")
    assert not fixes.of_verdict("6.12.95", "6.12.107", "plain")
    assert holes in fixes.of_functions("7.1.7", "7.1.8", ["schedule", "pagemap_scan_pte_hole"])


def test_the_page_says_what_changed_where_and_why(made):
    text = told.text(made)
    assert_mailable(text)
    said = words(text)
    assert "2 phases got dearer and 0 cheaper" in said
    assert "0 verdicts turned worse and 3 better" in said
    assert "6.12.95 to 6.16.3: collect of" in said
    assert "by vm_normal_page" in said
    assert "6.12.107 has this: PAGEMAP_SCAN protects and reports unpopulated entries" in said
    assert "1 verdict that differed from play to play on some kernel: left out as luck" in said
    assert "not complete" not in said
    assert words(told.text(told.History(made.releases[:1], [], []))).count("6.12.95 to 6.12.95") == 2


def test_a_half_that_is_lacking_or_wrong_is_said(tmp_path):
    counted(tmp_path, "6.12.95", wrong={("scan-wp", "random", 1000): (0, 7)})
    played(tmp_path, "6.12.107")
    played(tmp_path, "6.12.117")
    (tmp_path / store.PLAYED / "6.12.117" / log.PACKED).rename(tmp_path / store.PLAYED / "6.12.117" / "other")
    said = words(told.text(told.read(tmp_path)))
    assert "Wrong pages while counting: scan-wp on anon, missed: 6.12.95." in said
    assert "not complete: 6.12.95, 6.12.107; ./bench.py history goes on" in said
    assert "6.12.117" not in said, "what is still measured counts for nothing"


def test_a_verdict_is_not_claimed_of_a_kernel_that_was_not_played(tmp_path):
    counted(tmp_path, "6.12.107")
    for version, runs in (("6.12.95", {}), ("6.12.117", {}), ("7.3.4", {("plain", "scan-wp"): EXTRA})):
        played(tmp_path, version, runs)
    releases = history.load(tmp_path)
    runs = [(cell.text(), first, last) for cell, first, last in history.runs(releases, "plain", "scan-wp")]
    assert runs == [("exact", "6.12.95", "6.12.95"), ("exact", "6.12.117", "6.12.117"), ("+7", "7.3.4", "7.3.4")]
    cells = [row for section in history_page.sections(told.read(tmp_path)) for row in section.body]
    assert ["plain", "scan-wp", "exact: 6.12.95; exact: 6.12.117; +7: 7.3.4"] in [row[:3] for row in cells]
    assert ["holes_tables", "clear_refs, scan-wp", "exact"] in [row[:3] for row in cells], (
        "the same wherever it is known"
    )


def test_kernels_that_were_counted_without_functions_are_named_as_incomplete(tmp_path):
    counted(tmp_path, "6.12.95")
    folder = tmp_path / store.COUNTED / "6.12.95"
    assert store.whole(folder)
    bare = [
        one._replace(series=[some._replace(functions={}, foreign={}, counters={}) for some in one.series])
        if isinstance(one, Timed)
        else one
        for one in log.read(folder / log.PACKED)[0]
    ]
    log.write(folder, bare)
    packing.pack(folder)
    assert not store.whole(folder)
    assert "not complete: 6.12.95" in words(told.text(told.read(tmp_path)))


def test_a_folder_whose_name_is_no_version_is_none(tmp_path):
    counted(tmp_path, "6.12.95")
    counted(tmp_path, "6.12.96\x1b[31m")
    assert store.versions(tmp_path) == ["6.12.95"]


def test_what_is_in_a_results_place_and_is_none_is_refused_and_not_left_out(tmp_path):
    counted(tmp_path, "6.12.95")
    (tmp_path / store.COUNTED / "6.12.96").mkdir()
    os.mkfifo(tmp_path / store.COUNTED / "6.12.96" / log.PACKED)
    with pytest.raises(BadInput, match=r"6\.12\.96/records\.jsonl\.xz.* is no file"):
        told.read(tmp_path)


@pytest.mark.parametrize("half", store.SUITES)
def test_a_log_of_another_suite_is_refused_and_a_link_that_leads_nowhere(tmp_path, half):
    counted(tmp_path, "6.12.95")
    folder = synthetic.result(tmp_path / half / "6.12.96", what=WHAT, suite="quick")
    path = packing.pack(folder)
    with pytest.raises(BadInput, match=f"{path} is of the suite quick, not of {store.SUITES[half]}") as caught:
        told.read(tmp_path)
    assert "move it away" in caught.value.hint
    path.unlink()
    path.symlink_to(tmp_path / "none")
    with pytest.raises(BadInput, match=f"{path} is no file"):
        told.read(tmp_path)


def test_nothing_measured_is_an_error_with_a_hint(tmp_path):
    with pytest.raises(BadInput, match="nothing is measured") as error:
        told.read(tmp_path)
    assert "--limit 1" in error.value.hint


def test_files_are_written_and_all_of_it_is_in_the_page(top):
    text = history_page.write(top, drawing.every)
    assert (top / "report.txt").read_text() == text
    page = (top / "report.html").read_text()
    for name in ("history", "verdict_history"):
        assert (top / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f'aria-label="{name}"' in page
    for cell in ("+7: 6.12.95; exact: 6.12.107; +7: 6.16.3 to 6.16.12; exact: 7.3.4", "vm_normal_page", "holes_tables"):
        assert cell in page
    assert history_page.write(top, drawing.every) == text
    assert (top / "report.html").read_text() == page, "the same data, the same bytes"


def test_packing_keeps_what_the_ledger_says_and_is_smaller(tmp_path):
    some = {"what": WHAT, "processes": 1, "rounds": 3, "noise": 0.01, "where": synthetic.COUNTED}
    folder = synthetic.result(tmp_path / "one", exact=synthetic.FUNCTIONS, **some)
    rows, whole = frames.intervals(frames.load(folder).frame), stored.load(folder)
    before = ledger.accounts(whole, rows)
    packing.pack(folder)
    assert not (folder / log.FILE).exists()
    thin = stored.load(folder)
    after = ledger.accounts(thin, rows)
    assert len(thin.functions) == len(whole.functions) // 3
    assert before.keys() == after.keys()
    for key, one in before.items():
        assert one.total == after[key].total
        assert one.functions.to_dict() == after[key].functions.to_dict()
    assert frames.intervals(frames.load(folder).frame).equals(rows)


def test_of_several_processes_all_functions_are_kept(tmp_path):
    some = {"what": WHAT, "processes": 3, "rounds": 1, "noise": 0.01, "where": synthetic.COUNTED}
    folder = synthetic.result(tmp_path / "one", exact=synthetic.FUNCTIONS, **some)
    whole = stored.load(folder)
    packing.pack(folder)
    assert stored.load(folder).functions.equals(whole.functions)


def test_a_guest_that_was_booted_again_is_packed_and_read(tmp_path):
    facts = synthetic.HOST | {"copy_page_ns": 100.0}
    plan = Plan("meaning", "./bench.py run --suite meaning", "1", ("clear_refs",), (), ("plain", "holes_tables"))
    one, other = (Machine(0, facts | {"boot_id": str(i)}, {}, INSTRUCTIONS) for i in range(2))
    plays = [Played(0, name, "clear_refs", "", [Plays(1, written=1)]) for name in plan.scenarios]
    folder = synthetic.write(tmp_path / "one", [plan, one, plays[0], other, plays[1]])
    before = verdicts.load(folder).cells
    packing.pack(folder)
    assert verdicts.load(folder).cells == before
    assert len(before) == 2


def test_a_torn_log_is_not_packed(tmp_path):
    folder = synthetic.played(tmp_path / "one")
    with (folder / log.FILE).open("a") as file:
        file.write('{"type":"pla')
    with pytest.raises(BadInput, match="torn"):
        packing.pack(folder)
    assert (folder / log.FILE).exists()
    assert not (folder / log.PACKED).exists()
