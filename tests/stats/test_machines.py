# SPDX-License-Identifier: GPL-2.0-only
"""What is between machines is said, and is no change of the kernel."""

import pytest

from bench.run import merging
from bench.stats import comparison, machines
from bench.store import frames
from tests import synthetic

POINTS = [("random", 1000, 10.0), ("random", 10000, 10.0), ("idle", 10000, 0.0)]


def one(folder, hostname, luck, **factor):
    forms = {form: factor.get("all", 1.0) for form in ("clear_refs", "scan-softdirty", "none")}
    forms |= {form: factor.get("scan", factor.get("all", 1.0)) for form in ("scan-wp", "scan-wp atomic")}
    synthetic.result(folder, what=POINTS, luck=luck, hostname=hostname, factor=forms, processes=8)
    return str(folder)


def merged(tmp_path, name, red, blue, boots=8):
    """A result of so many boots of two machines: forms are slower by the factors given."""
    parts = [one(tmp_path / f"{name}-red{i}", "red", 10 * i + len(name), **red) for i in range(boots)]
    parts += [one(tmp_path / f"{name}-blue{i}", "blue", 10 * i + 5 + len(name), **blue) for i in range(boots)]
    merging.merge(parts, str(tmp_path / name))
    return tmp_path / name


def test_how_far_machines_are_apart_is_told_from_how_far_boots_are(tmp_path):
    rows = frames.intervals(frames.load(merged(tmp_path, "x", {}, {"all": 2.0})).frame)
    found = machines.between(rows)
    assert found.machines == ["red", "blue"]
    assert found.usual == pytest.approx(1.0, abs=0.1)
    assert found.within < 0.1
    assert found.most >= found.usual
    assert found.worst.workload in ("random", "idle")


def test_a_result_of_one_machine_has_nothing_between(tmp_path):
    rows = frames.intervals(frames.load(synthetic.result(tmp_path)).frame)
    assert machines.between(rows) is None
    assert machines.levelled(rows, rows, "cost") == (rows, rows)


def test_a_small_change_is_found_between_machines_that_are_far_apart(tmp_path):
    base = merged(tmp_path, "base", {}, {"all": 3.0})
    new = merged(tmp_path, "new", {"scan": 1.1}, {"all": 3.0, "scan": 3.3})
    made = comparison.compare(comparison.load([base, new]))
    found = made.frame[made.frame["significant"]]
    assert set(found["form"]) == {"scan-wp", "scan-wp atomic"}
    assert found["ratio"].between(1.05, 1.15).all()
    assert made.by_machine["new"] == {name: pytest.approx(1.05, abs=0.03) for name in ("red", "blue")}


def test_what_one_machine_gains_and_another_loses_is_not_claimed(tmp_path):
    base = merged(tmp_path, "base", {}, {})
    new = merged(tmp_path, "new", {"scan": 1.5}, {"scan": 0.9})
    made = comparison.compare(comparison.load([base, new]))
    assert not made.frame["significant"].any()
    assert made.by_machine["new"]["red"] > 1.1
    assert made.by_machine["new"]["blue"] < 1


def test_equal_kernels_on_two_machines_do_not_differ(tmp_path):
    made = comparison.compare(
        comparison.load([merged(tmp_path, "base", {}, {"all": 2.0}), merged(tmp_path, "new", {}, {"all": 2.0})])
    )
    assert not made.frame["significant"].any()
