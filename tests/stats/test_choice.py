# SPDX-License-Identifier: GPL-2.0-only
"""Which rows of a result are shown, and that nothing is shown twice or mixed."""

import pytest

from bench.plan import suites
from bench.stats import choice
from tests import synthetic
from tests.texts import intervals


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return intervals(tmp_path_factory.mktemp("example"))


def test_choice_of_what_is_shown(rows):
    sweep = choice.sweep(rows)
    assert set(sweep["workload"]) == {"random"}
    assert set(sweep["dirty_percent"]) == {10.0}
    assert sorted(sweep["pages"].unique()) == list(synthetic.SIZES)
    fractions = choice.fractions(rows)
    assert set(fractions["pages"]) == {65536}
    assert sorted(fractions["dirty_percent"].unique()) == [0, 1, 10, 50, 100]
    assert set(choice.patterns(rows)["workload"]) == {"random", "sequential", "strided", "clustered", "hotset"}
    assert set(choice.breakdown(rows)["workload"]) == {"idle", "random", "all"}
    assert set(choice.headline(choice.breakdown(rows))["workload"]) == {"random"}
    empty = choice.empty(rows)
    assert set(zip(empty["workload"], empty["pages"], strict=True)) == {("idle", 1)}
    assert choice.challenger(rows) == "scan-wp atomic"


def test_fractions_never_mix_two_workloads_in_one_row(tmp_path):
    what = [("random", 1000, 10.0), ("random", 1000, 100.0), ("all", 1000, 100.0), ("idle", 1000, 0.0)]
    rows = intervals(tmp_path, what=what)
    pairs = choice.fractions(rows)[["workload", "dirty_percent"]].drop_duplicates()
    assert sorted(map(tuple, pairs.to_numpy())) == [("idle", 0.0), ("random", 10.0), ("random", 100.0)]


def test_a_headline_over_settings_prefers_the_usual_memory(tmp_path):
    rows = intervals(tmp_path, what=suites.SUITES["writers"].points, suite="writers", processes=2)
    assert choice.axis(rows) == "setting"
    assert choice.foremost(rows)["setting"].unique().tolist() == [""]
    sizes = intervals(tmp_path / "sizes", what=suites.SUITES["predump"].points, suite="predump", processes=2)
    assert choice.axis(sizes) == "pages"
    assert choice.sweep(sizes)["setting"].unique().tolist() == ["external"]


def test_kinds_of_memory_are_shown_at_the_usual_dirty_fraction(tmp_path):
    rows = intervals(tmp_path, what=suites.SUITES["kinds"].points, suite="kinds", processes=2)
    assert choice.axis(rows) == "kind"
    assert set(choice.sweep(rows)["dirty_percent"]) == {10}


def test_without_the_legacy_interface_there_is_no_challenger(tmp_path):
    rows = intervals(tmp_path, interfaces=["none", "scan-wp"], what=[("random", 8, 10.0)])
    assert choice.challenger(rows) is None
