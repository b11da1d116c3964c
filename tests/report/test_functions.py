# SPDX-License-Identifier: GPL-2.0-only
"""The function ledger as text, CSV and HTML, and what reports say of exact counts."""

import io
import re

import numpy as np
import pandas as pd
import pytest

from bench.errors import BadInput
from bench.report import blocks, counts, functions, html, pages
from bench.stats import comparison
from bench.store import ledger as store
from plots import drawing
from tests import synthetic
from tests.texts import assert_mailable, words

WHAT = [("idle", 1, 0.0), *(("random", pages, dirty) for pages in (100, 10000) for dirty in (1.0, 10.0, 50.0))]
MORE = {
    "reset": {**synthetic.FUNCTIONS["reset"], "a_function_with_a_name_that_is_as_long_as_the_longest": 0.01},
    "collect": {"pagemap_pmd_range": 0.75, "vm_normal_folio": 0.3, "pte_val": 0.02},
}


def exact(folder, shares=synthetic.FUNCTIONS, **options):
    some = {"what": WHAT, "boots": 5, "processes": 5, "rounds": 1, "noise": 1e-6, "where": synthetic.COUNTED}
    return synthetic.result(folder, exact=shares, **(some | options))


@pytest.fixture
def pair(tmp_path):
    return [exact(tmp_path / "base"), exact(tmp_path / "patched", synthetic.FUNCTIONS | MORE, luck=8)]


def accounted(folders, **options):
    return functions.accounted(folders, comparison.load(folders), **options)


def column(table, number):
    """One column of numbers of a table's text, without its last line, and that of the last line."""
    rows = [re.split(r" {2,}", line.strip()) for line in table.splitlines()]
    cells = [float(row[number].rstrip("%")) for row in rows if len(row) > 3 and row[0] != "function"]
    return cells[:-1], cells[-1]


def test_where_the_instructions_go_adds_up_to_the_whole(pair):
    made = pages.read(pair[0])
    accounts = functions.of_result(made.counts, made.rows)
    text = functions.text(functions.result_title(made.counts, made.rows), functions.result_sections(accounts))
    assert_mailable(text)
    assert {one.case.pages for one in accounts} == {10000}
    assert {one.case.form for one in accounts} == {"none", "clear_refs", "scan-softdirty", "scan-wp", "scan-wp atomic"}
    table = text.partition("clear_refs, collect;")[2].partition("(per page")[0]
    for number in (-3, -2, -1):
        parts, whole = column(table, number)
        assert sum(parts) == pytest.approx(whole, rel=0.002)
    assert parts == sorted(parts, reverse=True), "the largest first"
    assert "user space" in table
    assert "per page = per written page (1000 of them)" in words(text)
    assert "beside it 1000 instructions of interrupts and other tasks: timer_interrupt, tick_sched_handle" in words(
        text
    )


def test_a_phase_and_other_cases_can_be_asked_for(pair):
    made = pages.read(pair[0])
    only = functions.of_result(made.counts, made.rows, "random pages=100 * scan-wp", "reset")
    assert {(one.case.pages, one.case.form, one.phase) for one in only} == {(100, "scan-wp", "reset")}
    assert len(only) == 3
    with pytest.raises(BadInput, match="match nothing that was counted"):
        functions.of_result(made.counts, made.rows, "nothing*")


def test_functions_of_a_phase_that_are_small_are_one_line(tmp_path):
    many = {f"helper_{i}": 0.002 for i in range(50)}
    made = pages.read(exact(tmp_path / "many", synthetic.FUNCTIONS | {"collect": {"walk": 0.9, **many}}))
    section = functions.result_sections(functions.of_result(made.counts, made.rows, phase="collect"))[0]
    assert section.body[1][0] == "other, 50 functions"
    assert len(section.body) == 5


def test_what_changed_is_told_by_phase_and_adds_up(pair):
    changes = accounted(pair)
    text = functions.change_text(changes, comparison.load(pair))
    assert_mailable(text)
    assert "clear_refs, collect: +7" in text
    assert "scan-wp atomic" not in text, "its phases did not change"
    assert ", dirty:" not in text
    table = text.partition("clear_refs, collect:")[2].partition("(per page")[0]
    for number in (-4, -3, -2):
        parts, whole = column(table, number)
        assert sum(parts) == whole
    assert "vm_normal_page (gone)" in table
    assert "vm_normal_folio (new)" in table
    assert re.search(r"a_function_with_a_name\S*\.\. \(new\)", text), "cut, but what became of it is readable"
    assert "renamed, or inlined" not in text
    assert "or be inlined into its caller, which then grows by as much" in words(text)
    assert "collect changed in 7 of 7 cases of clear_refs" in words(text)


def test_nothing_changed_is_said(tmp_path):
    text = functions.change_text(accounted([exact(tmp_path / "a"), exact(tmp_path / "b", luck=8)]))
    assert words(text) == "No phase of any form changed: there is nothing to account for by function."


def test_forms_that_share_a_change_are_told_once(tmp_path):
    factor = {"clear_refs": 1.0, "scan-softdirty": 1.0}
    twice = synthetic.FUNCTIONS | {"reset": {**synthetic.FUNCTIONS["reset"], "extra": 0.1}}
    changes = accounted([exact(tmp_path / "a", factor=factor), exact(tmp_path / "b", twice, luck=8)])
    sections = functions.change_sections(changes)
    assert [one.base.case.form for one in changes] == ["clear_refs", "scan-softdirty", "scan-wp"]
    assert [one.title.split(",")[0] for one in sections] == ["clear_refs", "scan-wp"]
    assert sections[0].notes[0].startswith("nearly the same: scan-softdirty +")


def test_the_cover_letter_has_at_most_ten_lines_of_functions(pair):
    text = blocks.block(pair)
    assert_mailable(text)
    own = next(part for part in text.split("\n\n") if "By kernel function" in part)
    assert 3 <= len(own.splitlines()) <= blocks.LINES
    assert re.search(
        r"clear_refs collect \+\S+ \(\+7\.\d%\): vm_normal_page -\S+ \(gone\), vm_normal_folio", words(own)
    )


def test_csv_holds_every_function_and_adds_up(pair):
    changes = accounted(pair)
    frame = pd.read_csv(io.StringIO(functions.change_csv(changes)))
    for one in changes:
        own = frame[(frame["form"] == one.base.case.form) & (frame["phase"] == one.base.phase)]
        assert own["change"].sum() == one.total
        assert set(own["pages"]) == {10000}
    made = pages.read(pair[0])
    accounts = functions.of_result(made.counts, made.rows)
    whole = pd.read_csv(io.StringIO(functions.result_csv(made.counts, accounts)))
    sums = whole[whole["part"] != "foreign"].groupby(["form", "phase"])["instructions"].sum()
    for one in accounts:
        assert sums[one.case.form, one.phase] == one.total
    assert whole.loc[whole["part"] == "foreign", "instructions"].sum() == 1000 * len(accounts)
    assert list(pd.read_csv(io.StringIO(functions.change_csv([])))) == functions.COLUMNS


def test_html_has_the_tables_and_the_plot_and_escapes_names(pair, tmp_path):
    sides = comparison.load(pair)
    page = pages.ledger_page(accounted(pair), sides, drawing.every)
    assert "<svg" in page
    assert page.count("<table>") == len(functions.change_sections(accounted(pair)))
    assert "http" not in page.replace("http://www.w3.org", ""), "it loads nothing"
    evil = functions.Section("<b>", ["function"], [["<script>alert(1)</script>"], [], ["all"]], ["&"])
    shown = html.ledger(["<i>"], [evil])
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_a_kept_comparison_has_the_ledger_in_all_its_forms(pair, tmp_path):
    found = comparison.compare(comparison.load(pair))
    pages.compared(found, tmp_path / "kept", drawing.every, accounted(pair))
    names = {path.name for path in (tmp_path / "kept").iterdir()}
    assert {"functions.csv", "functions.html", "functions.png", "functions.svg", "compare.txt"} <= names
    assert "Which kernel functions account for what changed" in (tmp_path / "kept/compare.txt").read_text()
    pages.compared(found, tmp_path / "plain", drawing.every)
    assert "functions.csv" not in {path.name for path in (tmp_path / "plain").iterdir()}


def test_results_without_exact_counts_are_refused(tmp_path):
    plain = [exact(tmp_path / name, None) for name in ("a", "b")]
    with pytest.raises(BadInput, match="has no counts of events and functions"):
        accounted(plain)


def test_the_report_says_whether_boots_agree_and_what_ran_beside(tmp_path):
    steady = words(pages.page(pages.read(exact(tmp_path / "steady", noise=0))))
    assert re.search(r"Boots agree: 5 boots differ by no more than 0\.01% in any of \d+ medians of a phase\.", steady)
    made = pages.read(exact(tmp_path / "noisy", noise=0.01))
    lines = counts.boots(made.counts, made.rows)
    assert lines[0].startswith("Boots differ: 5 boots of this kernel differ by more than 0.01% in ")
    assert len(lines) <= 1 + counts.SHOWN
    for line in lines[1:]:
        assert re.match(r"\S+( atomic)? \w+: \d medians, up to \d\.\d+% at .*: \w\S* \+\d+", line)
    text = words(pages.page(made))
    assert re.search(r"Interrupts and other tasks, which are in no number here, executed \d.*timer_interrupt", text)
    assert not counts.boots(store.load(exact(tmp_path / "one", boots=1)), made.rows)


def test_every_counter_is_in_the_whole_report_only(pair):
    made = pages.read(pair[0])
    table = counts.table(made.counts, made.rows)
    assert_mailable(table)
    for name in ("user", "kernel", "foreign", "loads", "stores", "faults", "invlpg", "invpcid", "cr3", "ipi"):
        assert re.search(rf"\b{name}\b", table)
    assert "Counted in each phase" in pages.everything(made)
    assert "Counted in each phase" not in pages.page(made)


def test_counters_of_perf_are_named_as_it_names_them(pair):
    made = pages.read(pair[0])
    renamed = made.counts.counters.assign(
        counter=made.counts.counters["counter"].cat.rename_categories(
            {"kernel": "instructions:k", "user": "instructions:u", "foreign": "cycles:k"}
        )
    )
    table = counts.table(made.counts._replace(counters=renamed), made.rows)
    assert "instructions:k" in table
    assert ":u = user, :k = kernel" in words(table)


def test_an_account_is_of_one_interval_that_was_measured(pair):
    made = pages.read(pair[0])
    for one in functions.of_result(made.counts, made.rows):
        kept = made.counts.counters
        totals = kept[kept["counter"].isin(["user", "kernel"]) & (kept["form"] == one.case.form)]
        known = totals.groupby(store.VALUE, observed=True)["value"].sum()
        assert np.isclose(known, one.total).any()
