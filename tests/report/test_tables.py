# SPDX-License-Identifier: GPL-2.0-only
"""Tables as they go into a mail: compared with golden/ (UPDATE_GOLDEN=1 rewrites it: then read the diff)."""

import re

import pandas as pd
import pytest

from bench.plan import suites
from bench.plan.grids import make_point
from bench.report import tables
from bench.stats import choice
from plots import phases, style
from tests.texts import assert_golden, assert_mailable, intervals, words


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    wrong = {("clear_refs", "random", 10000): (512, 0), ("scan-wp atomic", "random", 65536): (0, 1)}
    return intervals(tmp_path_factory.mktemp("tables"), wrong=wrong)


def test_headline(rows):
    assert_golden("headline.txt", tables.against(choice.sweep(rows), "pages", "random, 10% dirty"))


def test_patterns(rows):
    assert_golden("patterns.txt", tables.against(choice.patterns(rows), "workload", "10% dirty, 65536 pages"))


def test_phases(rows):
    some = pd.concat([choice.empty(rows), choice.breakdown(rows)])
    assert_golden("phases.txt", tables.phases(some))


def test_counted_instructions_are_called_what_they_are(tmp_path):
    rows = intervals(tmp_path, where="tcg-icount", processes=10, boots=5)
    text = f"{tables.against(choice.sweep(rows), 'pages', '')}\n\n{tables.phases(choice.breakdown(rows))}"
    assert_mailable(text)
    assert_golden("counted.txt", text)
    assert not re.search(r"\bus\b|speed|fast|slow|CI|time", text)


def test_settings_stand_in_the_order_of_their_values(tmp_path):
    rows = intervals(tmp_path, what=suites.SUITES["buffers"].points, processes=2, rounds=1)
    order = ["", *(f"vec_len={n}" for n in (1, 32, 64, 512)), *(f"max_pages={n}" for n in (64, 512))]
    assert tables.in_order(rows, "setting") == [*order, "read=4KiB", "read=2MiB", "read=one", "masks=extra"]


def test_wrong_cells_are_marked_and_exact_ones_empty(rows):
    lines = tables.against(choice.sweep(rows), "pages", "").splitlines()
    line = {cells[0]: cells[1:] for cells in ([c.strip() for c in line.split("|")] for line in lines)}
    assert line["10000"][0].startswith("*")
    assert not line["10000"][2].startswith("*")
    assert line["10000"][-1] == "+32"
    assert line["65536"][2].startswith("*")
    assert line["65536"][-1] == "-0.062"
    assert line["1000"][-1] == ""
    assert not any(cell.startswith("*") for cell in line["1000"])


def test_few_processes_are_named(tmp_path):
    text = words(tables.against(choice.sweep(intervals(tmp_path, processes=3)), "pages", ""))
    assert "+- = range of 3 processes, a 75% CI; 95% needs 6" in text


def test_unequal_numbers_of_processes_are_named(rows):
    rows = choice.sweep(rows)
    rows = rows[(rows["pages"] != 100) | (rows["process"] < 2)]
    text = words(tables.against(rows, "pages", ""))
    assert "+- = 95% CI from 6 on, else their range; 2 to 6 processes" in text


def test_one_process_shows_no_spread(tmp_path):
    text = tables.against(choice.sweep(intervals(tmp_path, processes=1)), "pages", "")
    assert "unknown: 1 process only" in words(text)
    assert "+-" in text
    assert not re.search(r"\+-\d", text)


@pytest.mark.parametrize("interface", ["scan-wp", "clear_refs", "scan-softdirty"])
def test_single_interface_has_no_speedup(tmp_path, interface):
    rows = intervals(tmp_path, interfaces=["none", interface])
    text = tables.against(choice.sweep(rows), "pages", "random, 10% dirty")
    assert_mailable(text + "\n" + tables.phases(choice.breakdown(rows)))
    assert "speedup" not in text
    assert re.search(r"^ +65536 \| +\d+", text, re.M)


def test_point_that_one_interface_lacks_is_empty_not_wrong(rows):
    rows = choice.sweep(rows)
    text = tables.against(rows[~((rows["pages"] == 100) & (rows["form"] == "clear_refs"))], "pages", "")
    line = next(line for line in text.splitlines() if line.split("|")[0].strip() == "100")
    cells = [cell.strip() for cell in line.split("|")]
    assert cells[1] == ""
    assert cells[2]
    assert cells[4:] == ["", "", ""]
    assert "nan" not in text


def test_widest_table_still_fits(tmp_path):
    where = {"kernel_release": "6.12.107-rc1-next-20261122-my-own-very-long-branch-name+", "where": "vm-vmwarevmware"}
    what = [(name, 4_000_000, 10.0) for name in ("random", "sequential")]
    wrong = {(f, "random", 4_000_000): (9_999_999, 9_999_999) for f in ("clear_refs", "scan-wp atomic")}
    rows = intervals(tmp_path, what=what, wrong=wrong, noise=2.0, rounds=1, **where)
    rows[["cost", "reset", "dirty", "collect", "collect_reset"]] *= 50
    assert_mailable(tables.against(choice.patterns(rows), "workload", "10% dirty, 4000000 pages"))
    assert_mailable(tables.against(choice.sweep(rows), choice.axis(rows), "10% dirty"))
    assert_mailable(tables.phases(choice.breakdown(rows)))


def test_names_of_any_length_and_letters_fit_into_tables(tmp_path):
    what = [("dirty_every_second_page_of_each_pmd_backwards_zufällig", 4_000_000, 12.345)]
    rows = intervals(tmp_path, what=what)
    for text in (tables.phases(rows), tables.every(rows), tables.against(rows, "workload", "")):
        assert_mailable("\n".join(line for line in text.splitlines() if "|" in line or "--" in line))


def test_who_pays_marks_what_was_wrong(tmp_path):
    (tmp_path / "exact").mkdir()
    rows = intervals(tmp_path, wrong={("scan-wp", "random", 65536): (0, 16)})
    text = tables.phases(choice.breakdown(rows))
    assert_mailable(text)
    marked = [line.split()[0] for line in text.splitlines() if re.search(r"\| +\*\d", line)]
    assert marked == ["scan-wp"]
    assert "* = not every interval was exact" in words(text)
    assert "*" not in tables.phases(choice.breakdown(intervals(tmp_path / "exact")))


def test_what_the_program_does_is_called_accesses_where_it_reads(tmp_path):
    """Who pays, as table and plot, and the axis of costs."""
    for percent, word, other in ((0, "writes", "accesses"), (50, "accesses", "writes")):
        what = [make_point("random", 64, 10, read_percent=percent)]
        rows = intervals(tmp_path / word, what=what, interfaces=["none", "mprotect"])
        text = words(tables.phases(rows))
        assert f"the program's own {word}" in text
        assert f"the untracked {word};" in text
        assert f"untracked {word} deducted" in style.cost(rows)
        figure = phases.plot(rows)
        said = " ".join(one.get_text() for legend in figure.legends for one in legend.get_texts())
        assert f"its {word} untracked" in said
        assert other not in f"{text} {said}"
