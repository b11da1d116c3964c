# SPDX-License-Identifier: GPL-2.0-only
"""How long bystanders wait, in tables, CSV and comparisons; and what no record of them can say."""

import csv
import io
import itertools
import json
import math

import pytest

from bench.errors import BadInput
from bench.plan import records
from bench.plan.bystanders import BYSTANDERS
from bench.plan.points import Point
from bench.plan.records import ANY, WAITS, Beside, Series
from bench.report import bystanders, comparisons, exports, pages
from bench.stats import comparison
from bench.store import bystanders as stored
from bench.store import frames
from tests import synthetic
from tests.synthetic import OPERATION, bucket
from tests.texts import assert_mailable, words

WHAT = [Point("random", size, 10.0, bystanders=who) for size in (1000, 10_000) for who in BYSTANDERS]


def result(path, what=WHAT, **options):
    return synthetic.result(
        path, what=what, **({"suite": "bystanders", "processes": 6, "boots": 6, "rounds": 1} | options)
    )


def lines(text, label):
    return [line.split() for line in text.splitlines() if line.strip().startswith(label)]


@pytest.mark.parametrize("where", ["kvm", synthetic.COUNTED])
def test_the_table_has_waiting_with_and_without_tracking(tmp_path, where):
    made = pages.read(result(tmp_path, where=where))
    text = bystanders.table(made.result.frame)
    assert text in pages.page(made)
    assert text in pages.everything(made)
    assert_mailable(text)
    untracked, legacy, ioctl = (lines(text, label) for label in ("not tracked", "clear_refs", "scan-wp atomic"))
    assert len(untracked) == len(legacy) == len(ioctl) == len(WHAT)
    scale = 1 if where == synthetic.COUNTED else 1e-3
    unit = {"k": 1e3, "M": 1e6}

    def number(cell):
        return float(cell[:-1]) * unit[cell[-1]] if cell[-1] in unit else float(cell)

    for row in untracked:
        assert number(row[2]) == pytest.approx(OPERATION * scale, rel=0.1), "the median"
    for row in legacy:  # reset, any, p99, max, in, and operations a millisecond
        reset, usual, p99, most = map(number, row[1:5])
        assert reset == pytest.approx(synthetic.WAITS["clear_refs"] * scale, rel=0.2)
        assert usual == pytest.approx(OPERATION * scale, rel=0.1)
        assert most >= p99 >= 0.95 * reset
        assert row[5] == "reset"
    assert {row[6] for row in ioctl} == {"collect"}
    assert all(BYSTANDERS[who].who.split(",")[0] in words(text) for who in BYSTANDERS)
    assert (", us, lower" in text) == (where == "kvm")


def test_a_result_without_bystanders_has_no_table_and_no_plot(tmp_path):
    folder = synthetic.result(tmp_path, what=[("random", 1000, 10.0)])
    made = pages.read(folder)
    assert bystanders.table(made.result.frame) == ""
    assert stored.load(folder) is None
    assert made.rows[list(WAITS)].isna().all(axis=None)


def test_the_distribution_has_every_operation_once(tmp_path):
    frame = stored.load(result(tmp_path))
    assert set(frame["bystanders"]) == set(BYSTANDERS)
    sums = frame.groupby(["form", "bystanders", "pages", "process"], observed=True)["count"].sum()
    assert set(sums[sums.index.get_level_values("form") != "none"]) == {100}
    assert set(sums[sums.index.get_level_values("form") == "none"]) == {95}
    assert (frame["latency"] <= frame["longest"] * 1.04).all()


def test_the_csv_has_what_the_table_has(tmp_path):
    made = frames.load(result(tmp_path, processes=1, boots=1))
    rows = list(csv.DictReader(io.StringIO(exports.result_csv(made))))
    some = next(one for one in rows if one["form"] == "clear_refs" and one["bystanders"] == "fault")
    assert float(some["bystanders_reset"]) == pytest.approx(synthetic.WAITS["clear_refs"] * 1e-9, rel=0.2)
    assert some["bystanders_phase"] == "reset"
    assert some["bystanders_collect"] == ""


@pytest.mark.parametrize("metric", ["bystanders_max", "bystanders_reset", "bystanders_median"])
@pytest.mark.parametrize("where", ["kvm", synthetic.COUNTED])
def test_a_longer_wait_is_found_and_nothing_else(tmp_path, monkeypatch, metric, where):
    what = [point for point in WHAT if point.bystanders == "fault"]
    options = {"where": where, "processes": 14, "boots": 14, "what": what}
    base = result(tmp_path / "base", **options)
    monkeypatch.setitem(synthetic.WAITS, "clear_refs", 4 * synthetic.WAITS["clear_refs"])
    new = result(tmp_path / "new", luck=8, **options)
    found = comparison.compare(comparison.load([base, new]), metric=metric)
    assert_mailable(comparisons.text(found))
    claimed = set(found.frame.loc[found.frame["significant"], "form"])
    assert claimed == (set() if metric == "bystanders_median" else {"clear_refs"})
    ratios = found.frame.set_index("form")["ratio"]
    if claimed:
        assert ratios["clear_refs"].tolist() == pytest.approx([4, 4], rel=0.3)


def test_buckets_meet_without_gaps_and_are_those_of_the_core():
    ends = [records.latency(at) for at in range(records.BUCKETS)]
    assert ends[0] == (0, 1)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(ends))
    for took in (0, 1, 31, 32, 33, 1000, 4095, 4096, 10**9, 2**41):
        first, end = records.latency(bucket(took))
        assert first <= took < end <= max(1.04 * first, first + 1)


def test_quantiles_are_of_what_was_noted():
    took = [*range(1000, 2000, 10), 50_000]
    counts = {str(at): sum(bucket(one) == at for one in took) for at in set(map(bucket, took))}
    one = Beside(
        {ANY: counts, "reset": {str(bucket(50_000)): 1}, "dirty": counts},
        dict.fromkeys((ANY, "reset", "dirty"), 50_000),
    )
    assert one.quantile(0.5) == pytest.approx(1500, rel=0.04)
    assert one.quantile(1.0) == pytest.approx(50_000, rel=0.02)
    assert one._replace(longest=dict.fromkeys(one.longest, 49_500)).quantile(1.0) == 49_500, "no more than the slowest"
    assert math.isnan(one.quantile(0.5, "collect"))
    assert one.slowest == "reset", "the tracker's call, where the writes were overlapped too"
    assert math.isnan(one.waits["bystanders_each"])
    assert Beside(one.counts, one.longest, 4, 8000).waits["bystanders_each"] == 2000
    assert math.isnan(Beside(one.counts, one.longest, 4, 8000, pause_us=50).waits["bystanders_each"]), "it rests"


@pytest.mark.parametrize(
    "broken",
    [
        {"counts": {"napping": {"3": 1}}, "longest": {"napping": 3}},
        {"counts": {"reset": {"x": 1}}, "longest": {"reset": 3}},
        {"counts": {"reset": {str(records.BUCKETS): 1}}, "longest": {"reset": 3}},
        {"counts": {"reset": {"3": -1}}, "longest": {"reset": 3}},
        {"counts": {"reset": {"3": 1}}, "longest": {}},
        {"counts": {"reset": {"3": 1}}, "longest": {"reset": -3}},
        {"ended": -1},
        {"urgent": 2},
    ],
)
def test_what_cannot_be_is_refused(tmp_path, broken):
    good = Series("none", atomic=False, intervals=1, extra=0, missed=0, values={"dirty": [1.0]}, warmups={})
    made = records.Timed(0, WHAT[0], 0, [good], {}, {})
    line = json.loads(records.encode(made))
    assert records.decode(json.dumps(line)) == made
    assert "beside" not in line["series"][0], "nobody stood by"
    line["series"][0]["beside"] = broken
    with pytest.raises(BadInput, match=r"beside\.\w+ can't be"):
        records.decode(json.dumps(line))
