# SPDX-License-Identifier: GPL-2.0-only
"""Tables as they go into a mail: compared with tests/golden/ (UPDATE_GOLDEN=1 rewrites it: then read the diff)."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from bench import results, tables
from tests import synthetic

GOLDEN = Path(__file__).parent / "golden"


def assert_golden(name, text):
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text + "\n")
    assert text + "\n" == path.read_text()


def assert_mailable(text):
    """Hold REPORTS.md's rules: width, characters, and nothing that git mailinfo or b4 cuts away."""
    assert text.isascii()
    for line in text.splitlines():
        assert len(line) <= 72, line
        assert line == line.rstrip(), line
        assert not line.strip() or line.startswith("  "), line
        assert not re.match(r"---( |$)|diff -|Index:|#", line), line


def intervals(path, **options):
    return results.intervals(results.load(synthetic.suite(path / "suite.json", **options)).frame)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    wrong = {("clear_refs", "random", 10000): (512, 0), ("scan-wp atomic", "random", 65536): (0, 1)}
    return intervals(tmp_path_factory.mktemp("tables"), wrong=wrong)


def test_headline(rows):
    assert_golden("headline.txt", tables.against(results.sweep(rows), "pages", "random, 10% dirty"))


def test_patterns(rows):
    assert_golden("patterns.txt", tables.against(results.patterns(rows), "workload", "10% dirty, 65536 pages"))


def test_phases(rows):
    some = pd.concat([results.empty(rows), results.breakdown(rows)])
    assert_golden("phases.txt", tables.phases(some))


def test_wrong_cells_are_marked_and_exact_ones_empty(rows):
    lines = tables.against(results.sweep(rows), "pages", "").splitlines()
    line = {cells[0]: cells[1:] for cells in ([c.strip() for c in line.split("|")] for line in lines)}
    assert line["10000"][0].startswith("*")
    assert not line["10000"][2].startswith("*")
    assert line["10000"][-1] == "+32"
    assert line["65536"][2].startswith("*")
    assert line["65536"][-1] == "-0.062"
    assert line["1000"][-1] == ""
    assert not any(cell.startswith("*") for cell in line["1000"])


def test_few_processes_are_named(tmp_path):
    text = " ".join(tables.against(results.sweep(intervals(tmp_path, processes=3)), "pages", "").split())
    assert "+- = range of 3 processes, a 75% CI; 95% needs 6" in text


def test_unequal_numbers_of_processes_are_named(rows):
    rows = results.sweep(rows)
    rows = rows[(rows["pages"] != 100) | (rows["process"] < 2)]
    text = " ".join(tables.against(rows, "pages", "").split())
    assert "+- = 95% CI from 6 on, else their range; 2 to 6 processes" in text


def test_one_process_shows_no_spread(tmp_path):
    text = tables.against(results.sweep(intervals(tmp_path, processes=1)), "pages", "")
    assert "unknown: 1 process only" in " ".join(text.split())
    assert "+-" in text
    assert not re.search(r"\+-\d", text)


@pytest.mark.parametrize("interface", ["scan-wp", "clear_refs", "scan-softdirty"])
def test_single_interface_has_no_speedup(tmp_path, interface):
    rows = intervals(tmp_path, interfaces=["none", interface])
    text = tables.against(results.sweep(rows), "pages", "random, 10% dirty")
    assert_mailable(text + "\n" + tables.phases(results.breakdown(rows)))
    assert "speedup" not in text
    assert re.search(r"^ +65536 \| +\d+", text, re.M)


def test_point_that_one_interface_lacks_is_empty_not_wrong(rows):
    rows = results.sweep(rows)
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
    assert_mailable(tables.against(results.patterns(rows), "workload", "10% dirty, 4000000 pages"))
    assert_mailable(tables.against(results.sweep(rows), results.axis(rows), "10% dirty"))
    assert_mailable(tables.phases(results.breakdown(rows)))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.14159e-6, "3.14"), (91.26e-6, "91.3"), (912.34e-6, "912.3"), (1.0234e-2, "10234"), (-2e-6, "-2.00")],
)
def test_us(seconds, text):
    assert tables.us(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(8.266, "8.27x"), (82.66, "82.7x"), (826.6, "827x"), (0.126, "0.13x"), (float("inf"), "?")],
)
def test_times(ratio, text):
    assert tables.times(ratio) == text


@pytest.mark.parametrize(
    ("extra", "missed", "text"),
    [
        (0, 0, ""),
        (512, 0, "+512"),
        (0, 0.0001, "-0.0001"),
        (0.5, 65536, "+0.5-66k"),
        (1e-9, 0, "+1e-09"),
        (2.5e7, 0, "+25M"),
    ],
)
def test_wrong(extra, missed, text):
    assert tables.wrong(extra, missed) == text


def test_command_survives_wrapping():
    many = " ".join(f"--option{i} value{i}" for i in range(12))
    line = f"./bench.py run --filter '*random pages=1000 dirty=10% scan-wp atomic*' --name \"it's\" {many}"
    text = tables.command(line)
    assert max(map(len, text.splitlines())) <= 72
    assert shlex.split(text.replace("\\\n", "")) == shlex.split(line)


def test_command_with_other_letters_is_ascii_for_a_shell():
    text = tables.command(shlex.join(["printf", "%s", "/home/jörg/a b's"]))
    assert text.isascii()
    assert subprocess.run(["bash", "-c", text], capture_output=True, text=True).stdout == "/home/jörg/a b's"


def test_names_of_any_length_and_letters_fit_into_tables(tmp_path):
    what = [("dirty_every_second_page_of_each_pmd_backwards_zufällig", 4_000_000, 12.345)]
    rows = intervals(tmp_path, what=what)
    for text in (tables.phases(rows), tables.every(rows), tables.against(rows, "workload", "")):
        assert_mailable("\n".join(line for line in text.splitlines() if "|" in line or "--" in line))


def test_paragraph_is_ascii():
    assert_mailable(tables.paragraph("Gerät™ µs " * 20))


def test_who_pays_marks_what_was_wrong(tmp_path):
    (tmp_path / "exact").mkdir()
    rows = intervals(tmp_path, wrong={("scan-wp", "random", 65536): (0, 16)})
    text = tables.phases(results.breakdown(rows))
    assert_mailable(text)
    marked = [line.split()[0] for line in text.splitlines() if re.search(r"\| +\*\d", line)]
    assert marked == ["scan-wp"]
    assert "* = not every interval was exact" in " ".join(text.split())
    assert "*" not in tables.phases(results.breakdown(intervals(tmp_path / "exact")))
