# SPDX-License-Identifier: GPL-2.0-only
"""From the log to frames: nothing lost, nothing made up, each quantity in its unit, and no damaged log gets through."""

import gzip
import json
import lzma
import time

import numpy as np
import pytest

from bench.errors import BadInput
from bench.plan import records
from bench.plan.interfaces import Reason
from bench.plan.plan import Plan
from bench.plan.points import Point
from bench.plan.records import Machine, Timed
from bench.store import frames, log
from tests import synthetic
from tests.texts import intervals

KEYS = ["workload", "pages", "dirty_percent", "interface", "atomic", "phase", "process", "round"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return synthetic.result(tmp_path_factory.mktemp("example"))


def timed(folder):
    """Nanoseconds of each value, by KEYS, straight from the log."""
    return {
        (*one.point[:3], some.interface, some.atomic, phase, one.process, i): value
        for one in log.read(folder / log.FILE)[0]
        if isinstance(one, Timed)
        for some in one.series
        for phase, values in some.values.items()
        for i, value in enumerate(values)
    }


@pytest.mark.parametrize(
    ("where", "scale", "quantity", "unit"),
    [("kvm", 1e-9, "time", "second"), ("tcg-icount", 1, "instructions", "instruction")],
)
def test_one_row_per_value_in_the_unit_of_its_quantity(tmp_path, where, scale, quantity, unit):
    folder = synthetic.result(tmp_path, where=where)
    frame = frames.load(folder).frame
    expected = {key: value * scale for key, value in timed(folder).items()}
    assert frame.set_index(KEYS)["value"].to_dict() == expected
    assert frame["atomic"].dtype == bool
    assert set(frame["quantity"]) == {quantity}
    assert set(frame["unit"]) == {unit}


def test_settings_are_typed_columns(tmp_path):
    point = Point("random", 1024, 10, kind="shmem", writers=4, concurrent=1, ballast=1 << 30)
    row = frames.load(synthetic.result(tmp_path, what=[point])).frame.iloc[0]
    for key, value in point._asdict().items():
        assert row[key] == value
        assert isinstance(row[key], str) == isinstance(value, str)
    assert row["setting"] == "writers=4 concurrent ballast=1GiB"


def test_host_is_what_all_boots_share(whole):
    loaded = frames.load(whole)
    assert loaded.host["kernel_release"] == synthetic.HOST["kernel_release"]
    assert loaded.host["command"] == synthetic.COMMAND
    assert "phase" not in loaded.host
    assert loaded.name == whole.name
    assert loaded.planned == 6 * len(synthetic.points())


def test_reasons_are_kept_by_what_is_missing(tmp_path):
    synthetic.result(tmp_path, what=[("random", 8, 10.0)], unavailable={"v6": "no v6"}, refused={"mprotect": "ENOMEM"})
    loaded = frames.load(tmp_path)
    assert loaded.unavailable == {"v6": "no v6", "mprotect at random pages=8 dirty=10%": "ENOMEM"}


def test_what_can_not_be_measured_was_not_planned(tmp_path):
    what = [Point("random", 512, 10.0), Point("random", 512, 10.0, kind="hugetlb")]
    plan = Plan("kinds", "", "1", synthetic.ALL, tuple(what), processes=3)
    machine = Machine(0, synthetic.HOST, {"hugetlb": Reason("none reserved", "")})
    synthetic.result(tmp_path, what=what[:1], processes=3)
    found = [one for one in log.read(tmp_path / log.FILE)[0] if isinstance(one, Timed)]
    synthetic.write(tmp_path, [plan, machine, *found])
    assert frames.load(tmp_path).planned == 3


@pytest.mark.parametrize(("name", "pack"), [(log.PACKED, lzma.compress), (log.OLDER, gzip.compress)])
def test_packed(whole, tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack((whole / log.FILE).read_bytes()))
    assert frames.load(tmp_path).frame.equals(frames.load(whole).frame)


def test_interval_is_the_sum_of_its_phases_less_untracked_writes(tmp_path):
    folder = synthetic.result(tmp_path, what=[("random", 1000, 10.0)], processes=2, rounds=3, noise=0.3)
    took = {key[3:]: 1e-9 * value for key, value in timed(folder).items()}
    rows = frames.intervals(frames.load(folder).frame)
    assert len(rows) == 4 * 2 * 3
    for row in rows.to_dict("records"):
        phases = ("dirty", "collect_reset") if row["atomic"] else ("reset", "dirty", "collect")
        whole = sum(took[row["interface"], row["atomic"], phase, row["process"], row["round"]] for phase in phases)
        untracked = np.median([took["none", False, "dirty", row["process"], i] for i in range(3)])
        assert row["interval"] == pytest.approx(whole)
        assert row["cost"] == pytest.approx(whole - untracked)
        assert row["tracker"] == pytest.approx(whole - row["dirty"])
        assert row["tracked"] == pytest.approx(row["dirty"] - untracked)
    assert list(rows["form"].cat.categories) == ["clear_refs", "scan-softdirty", "scan-wp", "scan-wp atomic"]


def test_idle_has_no_writes_and_needs_no_baseline(tmp_path):
    rows = intervals(tmp_path, what=[("idle", 10, 0.0)])
    assert (rows["cost"] == rows["tracker"]).all()
    assert (rows[["dirty", "untracked", "tracked"]] == 0).all(axis=None)


def test_cycles_are_one_more_quantity(tmp_path):
    rows = intervals(tmp_path / "timed", what=[("random", 100, 10.0)])
    cycles = frames.in_cycles(rows)
    assert set(cycles["quantity"]) == {frames.CYCLES}
    assert set(cycles["unit"]) == {"cycle"}
    for column in ("interval", "cost", "reset", "collect_reset"):
        np.testing.assert_allclose(cycles[column], rows[column] * synthetic.HOST["tsc_hz"])
    assert frames.in_cycles(rows.assign(tsc_hz=0.0)) is None, "not invariant"
    counted = intervals(tmp_path / "counted", what=[("random", 100, 10.0)], where="tcg-icount")
    assert frames.in_cycles(counted) is None, "instructions are no time"


def test_wrong_intervals_are_counted_once_per_process(tmp_path):
    wrong = {("scan-wp atomic", "random", 100): (512, 3)}
    what = [("random", 100, 10.0), ("random", 1000, 10.0)]
    rows = intervals(tmp_path, what=what, processes=2, rounds=4, wrong=wrong)
    counts = frames.exactness(rows).set_index(["pages", "form"])
    assert counts.loc[(100, "scan-wp atomic"), ["intervals", "wrong_intervals", "extra", "missed"]].tolist() == [
        32, 2, 1024, 6,
    ]  # fmt: skip
    assert counts.drop(index=(100, "scan-wp atomic"))[["wrong_intervals", "extra", "missed"]].sum().sum() == 0


def test_new_interface_needs_no_change_here(whole, tmp_path):
    (tmp_path / log.FILE).write_text((whole / log.FILE).read_text().replace("scan-softdirty", "brand-new"))
    rows = frames.intervals(frames.load(tmp_path).frame)
    assert list(rows["form"].cat.categories) == ["clear_refs", "scan-wp", "scan-wp atomic", "brand-new"]


def damaged(kind, change):
    """A damage: the first record of a kind after `change` did something to it."""

    def damage(lines):
        at = next(i for i, line in enumerate(lines) if f'{{"type":"{kind}"' in line)
        data = json.loads(lines[at])
        change(data)
        return [*lines[:at], json.dumps(data), *lines[at + 1 :]]

    return damage


DAMAGES = {
    "empty": lambda lines: [],
    "binary": lambda lines: ["\x00\x01"],
    "a list": lambda lines: ["[]", *lines],
    "null": lambda lines: ["null", *lines],
    "deep": lambda lines: ["[" * 100_000, *lines],
    "no plan": lambda lines: lines[1:],
    "no machine": lambda lines: [lines[0], *lines[2:]],
    "no values": lambda lines: lines[:2],
    "later schema": damaged("plan", lambda d: d.update(schema="pagemap-bench 9")),
    "foreign": damaged("plan", lambda d: d.update(type="telco")),
    "facts is a list": damaged("machine", lambda d: d.update(facts=[])),
    "other quantity": damaged("machine", lambda d: d.update(quantity="bananas")),
    "no series": damaged("timed", lambda d: d.pop("series")),
    "negative": damaged("timed", lambda d: d["series"][1]["values"]["reset"].append(-1.0)),
    "NaN": damaged("timed", lambda d: d["series"][1]["values"]["reset"].append(float("nan"))),
    "infinite": damaged("timed", lambda d: d["series"][1]["values"]["reset"].append(float("inf"))),
    "text value": damaged("timed", lambda d: d["series"][1]["values"]["reset"].append("fast")),
    "nested values": damaged("timed", lambda d: d["series"][1]["values"].update(reset=[[1.0]])),
    "pages is text": damaged("timed", lambda d: d["point"].update(pages="many")),
    "no pages": damaged("timed", lambda d: d["point"].update(pages=0)),
    "huge pages": damaged("timed", lambda d: d["point"].update(pages=2**80)),
    "negative extra": damaged("timed", lambda d: d["series"][1].update(extra=-1)),
    "unknown phase": damaged("timed", lambda d: d["series"][1]["values"].update(dance=[1.0])),
    "same process twice": lambda lines: [*lines, lines[-1]],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_log_is_refused_with_a_hint(whole, tmp_path, damage):
    lines = DAMAGES[damage]((whole / log.FILE).read_text().splitlines())
    (tmp_path / log.FILE).write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(BadInput) as caught:
        frames.load(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert caught.value.hint


def test_two_kernels_are_no_result(tmp_path):
    synthetic.result(tmp_path, what=[("random", 8, 10.0)], processes=2, boots=2)
    found = log.read(tmp_path / log.FILE)[0]
    other = [one._replace(facts=one.facts | {"kernel_release": f"6.{one.boot}"}) if isinstance(one, Machine) else one
             for one in found]  # fmt: skip
    synthetic.write(tmp_path, other)
    with pytest.raises(BadInput, match="mixes results of several values of kernel_release"):
        frames.load(tmp_path)


def test_missing_folder_and_one_without_a_result(tmp_path):
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(BadInput, match="there is no result in"):
            frames.load(path)


@pytest.mark.parametrize(("interface", "phase"), [("scan-wp", "collect"), ("clear_refs", "dirty"), ("none", "dirty")])
def test_no_interval_without_all_its_phases(whole, interface, phase):
    frame = frames.load(whole).frame
    with pytest.raises(BadInput, match="lacks"):
        frames.intervals(frame[(frame["interface"] != interface) | (frame["phase"] != phase)])


def test_baseline_alone_is_no_result(tmp_path):
    loaded = frames.load(synthetic.result(tmp_path, interfaces=["none"], what=[("all", 10, 100.0)]))
    with pytest.raises(BadInput, match="baseline"):
        frames.intervals(loaded.frame)


def test_ten_thousand_points_in_ten_seconds(whole, tmp_path):
    found = log.read(whole / log.FILE)[0]
    plan, machine, first = found[0], found[1], next(one for one in found if isinstance(one, Timed))
    line = records.encode(first)
    many = [line.replace('"workload"', f'"max_pages":{i},"workload"', 1) for i in range(1, 10_001)]
    (tmp_path / log.FILE).write_text("\n".join([records.encode(plan), records.encode(machine), *many, ""]))
    start = time.process_time()
    rows = frames.intervals(frames.load(tmp_path).frame)
    assert time.process_time() - start < 10
    assert rows["setting"].nunique() == 10_000
