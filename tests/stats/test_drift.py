# SPDX-License-Identifier: GPL-2.0-only
"""How far boots of one kernel drift apart while others are measured in turn, and that it limits what is claimed."""

import pytest

from bench.report import changes
from bench.stats import comparison
from bench.stats.drift import drift
from tests import synthetic
from tests.texts import intervals, words

WHAT = [("random", 100, 10.0), ("random", 1000, 10.0)]


def rows(folder, per_turn=0.0, **options):
    """Rows of ten boots, each taking its turn; the cost grows by per_turn from boot to boot."""
    some = intervals(folder, what=WHAT, boots=10, processes=10, noise=0.002, **options)
    return some.assign(turn=2 * some["boot"], cost=some["cost"] * (1 + per_turn * some["boot"]))


def test_later_boots_are_held_against_earlier_ones(tmp_path):
    found = drift(rows(tmp_path, 0.01))
    assert found.ratio == pytest.approx(1.07 / 1.02, rel=0.005)
    assert found.boots == 10
    assert found.worst >= found.ratio
    assert drift(rows(tmp_path)).ratio == pytest.approx(1, abs=0.004)


def test_without_turns_there_is_no_drift(tmp_path):
    assert drift(intervals(tmp_path / "one", what=WHAT, boots=10, processes=10)) is None
    some = rows(tmp_path / "two")
    assert drift(some.query("boot == 3")) is None
    assert drift(some.assign(turn=some["boot"])) is None, "nothing was measured between them"


def test_no_change_that_is_smaller_than_the_drift_is_claimed(tmp_path):
    factor = dict.fromkeys(("clear_refs", "scan-softdirty", "scan-wp", "scan-wp atomic"), 1.02)
    folders = [
        synthetic.result(tmp_path / name, what=WHAT, boots=10, processes=10, noise=0.0005, **more)
        for name, more in (("base", {}), ("new", {"luck": 8, "factor": factor}))
    ]
    base, new = comparison.load(folders)
    assert comparison.compare([base, new]).frame["significant"].all()
    late = base.whole.assign(turn=2 * base.whole["boot"])
    late["cost"] *= 1 + 0.05 * (late["boot"] >= 5)
    found = comparison.compare([base._replace(rows=late, whole=late, matching=late), new])
    assert not found.frame["significant"].any()
    text = words(" ".join(changes.warnings(found)))
    assert "Drift: from the first to the second half of its 10 boots" in text
    assert "base changed by +5.0% (geomean of all cases); no change that is smaller than that is claimed" in text
