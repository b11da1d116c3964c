# SPDX-License-Identifier: GPL-2.0-only
"""The table of lives: its numbers are those of the phases, and results without lives have none."""

import pytest

from bench.plan.grids import make_point
from bench.report import life, questions
from bench.stats import comparison
from bench.store import frames
from tests import synthetic
from tests.texts import assert_mailable, words

PAGES = 100_000
WHAT = [tuple(make_point("random", PAGES, 10, life=ends, writers=n)) for ends, n in (("idle", 1), ("busy", 2))]


@pytest.fixture
def rows(tmp_path):
    synthetic.result(tmp_path / "made", what=WHAT, noise=0.0, wrong={("scan-wp", "random", PAGES): (3, 0)})
    return frames.intervals(frames.load(tmp_path / "made").frame)


def test_a_life_is_the_sum_of_its_phases(rows):
    alone = rows[(rows["life_ends"] == "idle") & (rows["form"] == "scan-wp")].iloc[0]
    once = (synthetic.ONCE[phase] * PAGES for phase in ("open", "arm", "disarm", "close"))
    assert alone["residue"] == pytest.approx(0)
    assert alone["life"] == pytest.approx(sum(once) + alone["dirty"] - alone["untracked"] + alone["collect"])
    legacy = rows[(rows["life_ends"] == "idle") & (rows["form"] == "clear_refs")].iloc[0]
    assert legacy["life"] == pytest.approx(0.13e-6 * PAGES + legacy["cost"] - legacy["reset"])
    atomic = rows[(rows["life_ends"] == "busy") & (rows["form"] == "scan-wp atomic")].iloc[0]
    assert atomic["life"] == pytest.approx(0.43e-6 * PAGES + atomic["cost"])


def test_the_table_has_a_line_for_each_form_and_says_when_it_pays(rows):
    text = life.text(rows)
    assert_mailable(text)
    lines = [line for line in text.splitlines() if line.strip().startswith("scan-wp ")]
    assert len(lines) == 4
    assert "*" in lines[0]
    assert "writers were half through when disarm began" in words(text)
    legacy = next(line for line in text.splitlines() if "clear_refs " in line)
    cells = [cell.strip() for cell in legacy.split("|")]
    assert cells[1:4] == ["2k", "10k", ""]  # us of open and arm; nothing ends it
    assert cells[-1] == "-"
    assert text in questions.answers("own", rows)


def test_where_no_life_was_measured_there_is_no_table(tmp_path):
    synthetic.result(tmp_path / "made", what=[("random", 100, 10.0)])
    rows = frames.intervals(frames.load(tmp_path / "made").frame)
    assert life.text(rows) == ""
    assert rows["life"].isna().all()


def test_lives_are_compared_as_a_metric(tmp_path):
    for name, factor in (("base", 1.0), ("new", 2.0)):
        synthetic.result(tmp_path / name, what=WHAT, noise=0.001, factor={"scan-wp": factor})
    made = comparison.compare(comparison.load([tmp_path / "base", tmp_path / "new"]), metric="disarm")
    ratios = made.frame.set_index("form")["ratio"]
    assert set(ratios.index) == {"scan-wp", "scan-wp atomic", "uffd-sync", "mprotect"} & set(ratios.index)
    assert ratios["scan-wp"].tolist() == pytest.approx([2.0, 2.0], rel=0.01)
