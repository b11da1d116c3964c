# SPDX-License-Identifier: GPL-2.0-only
"""From which size on tracking pays, and what a page costs by the order of its folio: numbers and tables."""

import re

import pandas as pd
import pytest

from bench.plan import suites
from bench.plan.grids import make_point
from bench.plan.interfaces import INSTEAD
from bench.report import batching, instead, pages, questions
from bench.stats import instead as numbers
from tests import synthetic
from tests.texts import assert_mailable, intervals, words

NAMES = ["none", "clear_refs", "scan-wp", *INSTEAD]
SIZES = (16, 256, 4096)


@pytest.fixture
def rows(tmp_path):
    """No noise: scan-wp costs 1.9 us and some, and copy-all 0.16 us a page."""
    what = [make_point("random", n, dirty, then=then) for n in SIZES for dirty in (1, 50) for then in ("copy", "wipe")]
    return intervals(tmp_path, what=what, suite="instead", interfaces=NAMES, noise=0, processes=2, rounds=1)


def test_each_form_is_compared_with_the_cheapest_way_without_it(rows):
    found = numbers.against(rows)
    assert set(found["form"]) == {"clear_refs", "scan-wp", "scan-wp atomic"}
    copies = found[found["then"] == "copy"]
    assert set(copies["cheapest"]) == {"copy-all"}, "as invented"
    one = copies[(copies["form"] == "scan-wp") & (copies["pages"] == 4096) & (copies["dirty_percent"] == 1)].iloc[0]
    own = rows[(rows["pages"] == 4096) & (rows["then"] == "copy") & (rows["dirty_percent"] == 1)]
    cost = {form: own.loc[own["form"] == form, "cost"].median() for form in ("scan-wp", "copy-all")}
    assert one["cost"] == pytest.approx(cost["scan-wp"])
    assert one["ratio"] == pytest.approx(cost["copy-all"] / cost["scan-wp"])
    assert numbers.against(rows.assign(then="")).empty


def test_tracking_pays_from_the_size_from_which_on_it_is_always_cheaper():
    frame = pd.DataFrame(
        [("copy", 1.0, 2**i, "a", ratio, "fork-cow") for i, ratio in enumerate((2, 0.5, 3, 4))]
        + [("copy", 1.0, 2**i, "b", ratio, "fork-cow") for i, ratio in enumerate((2, 2, 3, 0.9))]
        + [("copy", 1.0, 2**i, "c", ratio, "fork-cow") for i, ratio in enumerate((2, 2, 3, 4))],
        columns=["then", "dirty_percent", "pages", "form", "ratio", "cheapest"],
    )
    found = numbers.pays_from(frame.assign(pays=frame["ratio"] > 1)).set_index("form")
    assert found["pages"].tolist()[::2] == [4, 1]
    assert pd.isna(found.loc["b", "pages"])
    assert found["ratio"].tolist() == [4, 0.9, 4]


def test_tracking_that_costs_less_by_chance_does_not_pay(tmp_path):
    """The lower median is not believed where the two costs' intervals overlap."""
    names, what = ["none", "scan-wp", "slot-memset"], [make_point("random", 4096, 10, then="wipe")]
    rows = intervals(tmp_path, what=what, interfaces=names, noise=0, processes=6, rounds=1)
    for ratio, pays in ((1.02, False), (2.0, True)):
        for form, share in (("scan-wp", 1.0), ("slot-memset", ratio)):
            rows.loc[rows["form"] == form, "cost"] = [share * value for value in (1.0, 1.4, 0.8, 1.2, 0.9, 1.1)]
        found = numbers.against(rows).set_index("form").loc["scan-wp"]
        assert (found["ratio"], found["pays"]) == (pytest.approx(ratio), pays)


def test_the_table_says_from_where_on_and_against_what(rows):
    text = instead.table(rows)
    assert_mailable(text)
    copy, wipe = text.split("From how many pages on")[1:]
    assert "copy-all, fork-cow" in words(copy)
    assert "slot-memset, slot-dontneed" in words(wipe)
    assert re.search(r"^  scan-wp +\| +\d+ \d+\.\d+x \| +\d+ 1\.\d+x$", copy, re.MULTILINE)
    assert re.search(r"^  scan-wp +\| +\d+ \d+\.\d+x \| +not 0\.\d+x$", wipe, re.MULTILINE)
    assert re.search(r"\(cheapest without\) \| +copy-all \| +copy-all", copy)
    assert "bandwidth" not in text
    assert not instead.table(rows.assign(then=""))


def test_a_wrong_form_has_a_star_and_counted_results_their_caveat(tmp_path):
    what = [make_point("random", n, 1, then="wipe") for n in SIZES]
    wrong = {("scan-wp", "random", 256): (0, 3)}
    rows = intervals(tmp_path, what=what, interfaces=NAMES, wrong=wrong, where=synthetic.COUNTED)
    text = instead.table(rows)
    assert "*scan-wp " in text
    assert "*clear_refs" not in text
    assert "bandwidth" in words(text)


def of_batching(folder, **options):
    return synthetic.result(folder, what=suites.SUITES["batching"].points, suite="batching", processes=2, **options)


def test_each_order_stands_beside_order_0_with_the_ratio_to_it(tmp_path):
    made = pages.read(of_batching(tmp_path, noise=0))
    text = batching.table(made.rows)
    assert_mailable(text)
    assert text in pages.page(made)
    lines = [line.split("|") for line in text.splitlines() if line.startswith("    anon")]
    first, last = lines[0], lines[9]
    assert (first[0].strip(), last[0].strip()) == ("anon", "anon-thp")
    assert [line[1].strip() for line in lines[:10]] == ["0", "2", "3", "4", "5", "6", "7", "8", "9", "0"]
    assert {float(line[i]) for line in lines for i in (3, 5, 7) if line[i].strip()} == {1.0}, "invented costs are alike"
    assert float(first[2]) == pytest.approx(1e9 * 8e-6 / 16384 + 4, rel=0.01), "ns: reset per page of the mapping"
    assert float(first[4]) == pytest.approx(60, rel=0.01), "ns: a tracked write, the untracked deducted"


def test_what_became_of_folios_is_said():
    frame = pd.DataFrame({"orders_before": ["4:64"], "orders_after": ["4:64"], "orders_changed": [0]})
    assert batching.orders(frame) == "4"
    assert batching.orders(frame.assign(orders_changed=1)) == "4>4", "it was another one in between"
    split = frame.assign(orders_after=["0:16 4:48"], orders_changed=3)
    assert batching.orders(split) == "4>0 25% 4 75%"


def test_nothing_is_said_of_orders_where_nobody_looked(tmp_path):
    rows = intervals(tmp_path, what=suites.SUITES["kinds"].points, suite="kinds", processes=2)
    assert not batching.table(rows)
    assert not questions.answers("batching", rows)
