# SPDX-License-Identifier: GPL-2.0-only
"""The suites' own tables: the question that each of them asks."""

import re
from collections import Counter

import pytest

from bench.plan import suites
from bench.report import pages, questions, tables
from bench.stats import choice
from bench.store.published import published
from tests import synthetic
from tests.texts import assert_mailable, intervals


def rows_of(tmp_path, name, **options):
    names = ["none", "clear_refs", "scan-wp", "uffd-sync", "mprotect"]
    return intervals(tmp_path, what=suites.SUITES[name].points, suite=name, interfaces=names, **options)


def test_cycles_stand_beside_the_published_table_that_is_named_as_another_machines(tmp_path):
    rows = rows_of(tmp_path, "lkml-2022", noise=0.001)
    text = questions.cycles(rows)
    seconds = rows[(rows["form"] == "mprotect") & (rows["pages"] == 10_000)]["interval"].median()
    ours, theirs = text.split("PUBLISHED, ANOTHER MACHINE")
    last = next(line for line in ours.splitlines() if line.startswith("  10000"))
    assert float(last.split("|")[-1]) == pytest.approx(seconds * 2.5e6, rel=0.001)
    assert "mprotect-sigsegv" in theirs
    assert re.search(r"10000 \|\s+17563 \|\s+8924 \|\s+621522 \|\s+60149", theirs)
    assert "No TSC cycles" in questions.cycles(rows.assign(tsc_hz=0.0))
    fault = questions.faults(rows)
    assert "1.92" in fault.split("PUBLISHED, ANOTHER MACHINE")[1]
    for part in (text, fault):
        assert_mailable(part)


def test_overhead_is_in_percent_of_the_untracked_writes(tmp_path):
    rows = rows_of(tmp_path, "who-pays", noise=0.001)
    text = questions.overhead(rows)
    some = rows[(rows["form"] == "uffd-sync") & (rows["pages"] == 256)]
    percent = (100 * some["tracked"] / some["untracked"]).median()
    assert f"{percent:.0f}" in text.split("PUBLISHED")[0]
    parts = text.split("PUBLISHED, ANOTHER MACHINE")
    assert len(parts) == 3
    assert re.search(r"262144 \|\s+1463 \|\s+335", parts[1])
    assert re.search(r"262144 \|\s+1349 \|\s+147", parts[2])
    assert_mailable(text)


def test_the_fit_finds_the_fixed_cost_and_that_of_a_page(tmp_path):
    rows = rows_of(tmp_path, "scale", noise=0.0)
    found = {form: (fixed, page, worst) for form, fixed, page, worst in questions.fits(choice.sweep(rows))}
    call, reset, collect, write = synthetic.COST["scan-wp"]
    fixed, page, worst = found["scan-wp"]
    assert fixed == pytest.approx(1.25 * call, rel=0.3)
    assert page == pytest.approx(reset + collect + 0.1 * write, rel=0.05)
    assert worst < 0.3
    assert_mailable(questions.per_page(rows))


def test_arming_shows_every_way_of_populating(tmp_path):
    rows = rows_of(tmp_path, "arm")
    text = questions.arming(rows)
    assert_mailable(text)
    lines = text.splitlines()
    assert Counter(line.strip().split()[0] for line in lines if "| " in line)["scan-wp"] == 16
    largest = lines[next(i for i, line in enumerate(lines) if "2621440" in line) :]
    populate = next(line for line in largest if "scan-wp" in line).split("|")[1]
    assert float(populate) == pytest.approx(655.4, rel=0.03), "ms"


def test_the_page_of_each_suite_has_its_own_tables(tmp_path):
    for name, words in (("who-pays", "Overhead"), ("scale", "Cost per page"), ("arm", "first arming"),
                        ("predump", "A dump of another process")):  # fmt: skip
        folder = tmp_path / name
        synthetic.result(folder, what=suites.SUITES[name].points, suite=name, processes=2, rounds=1)
        made = pages.read(folder)
        assert words in pages.page(made)
        assert words in pages.everything(made)


def test_published_numbers_keep_their_source():
    for name in ("lkml-2022", "who-pays", "fault-latency"):
        found = published(name)
        assert "Source: " in found.about
        assert not found.frame.empty
    assert published("quick") is None


def test_concurrent_rows_say_what_their_cost_is(tmp_path):
    rows = intervals(tmp_path, what=suites.SUITES["writers"].points, suite="writers", processes=2)
    text = " ".join(tables.against(rows, "setting", "").split())
    assert "concurrent: two collects and resets an interval" in text
    assert "in 0 of" in text
    assert not tables.concurrent(rows[rows["setting"] == ""])


@pytest.mark.parametrize("name", questions._TABLES)
def test_tables_of_counted_results_say_instructions(tmp_path, name):
    rows = rows_of(tmp_path, name, where="tcg-icount", processes=5, boots=5, rounds=1)
    for text in questions.answers(name, rows):
        assert_mailable(text)
        ours = text.split("PUBLISHED")[0]
        assert "instructions" in ours
        assert not re.search(r"\b(us|ms|ns|CI|faster|slower)\b", ours)


def test_counted_results_have_no_cycles(tmp_path):
    text = questions.cycles(rows_of(tmp_path, "lkml-2022", where="tcg-icount"))
    assert "No TSC cycles: instructions were counted." in text
    assert "One whole tracking interval" in text
