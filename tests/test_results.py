# SPDX-License-Identifier: GPL-2.0-only
"""From suite.json to frames: nothing lost, nothing made up, and no damaged file gets through."""

import gzip
import json
import time

import numpy as np
import pyperf
import pytest

from bench import results
from bench.errors import BadInput
from tests import synthetic


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return synthetic.suite(tmp_path_factory.mktemp("example") / "suite.json").read_text()


@pytest.fixture
def path(tmp_path, example):
    (tmp_path / "suite.json").write_text(example)
    return tmp_path / "suite.json"


def test_one_row_per_value_as_pyperf_reads_it(path):
    frame = results.load(path).frame
    expected = {}
    for benchmark in pyperf.BenchmarkSuite.load(str(path)):
        for run in benchmark.get_runs():
            m = run.get_metadata()
            key = [m[k] for k in ("workload", "pages", "dirty_percent", "interface", "atomic", "phase", "process")]
            expected |= {(*key, i): value for i, value in enumerate(run.values)}
    keys = ["workload", "pages", "dirty_percent", "interface", "atomic", "phase", "process", "value"]
    assert frame.set_index(keys)["seconds"].to_dict() == expected
    assert frame["atomic"].dtype == bool


def test_host_is_what_all_runs_share(path):
    host = results.load(path).host
    assert host["kernel_release"] == synthetic.HOST["kernel_release"]
    assert "phase" not in host


def test_a_result_of_schema_1_is_read_as_one_boot(path):
    data = json.loads(path.read_text())
    data["metadata"]["schema"] = "pagemap-bench 1"
    data["metadata"].pop("boot")
    new = results.load(path).frame
    path.write_text(json.dumps(data))
    assert results.load(path).frame.equals(new)
    data["metadata"]["schema"] = "pagemap-bench 2"
    path.write_text(json.dumps(data))
    with pytest.raises(BadInput, match="boot"):
        results.load(path)


def test_gz(path):
    packed = path.with_suffix(".json.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert results.load(packed).frame.equals(results.load(path).frame)


def test_warmup_only_runs_are_no_values(path):
    data = json.loads(path.read_text())
    first = data["benchmarks"][0]["runs"]
    first.insert(0, {"warmups": [[1, 1.0]], "metadata": first[0].get("metadata", {})})
    before = len(results.load(path).frame)
    path.write_text(json.dumps(data))
    assert len(results.load(path).frame) == before


def test_interval_is_the_sum_of_its_phases_less_untracked_writes(tmp_path):
    path = synthetic.suite(tmp_path / "suite.json", what=[("random", 1000, 10.0)], processes=2, rounds=3, noise=0.3)
    runs = {}
    for benchmark in pyperf.BenchmarkSuite.load(str(path)):
        for run in benchmark.get_runs():
            m = run.get_metadata()
            runs[m["interface"], m["atomic"], m["phase"], m["process"]] = run.values
    rows = results.intervals(results.load(path).frame)
    assert len(rows) == 4 * 2 * 3
    for row in rows.itertuples():
        phases = ("dirty", "collect_reset") if row.atomic else ("reset", "dirty", "collect")
        took = sum(runs[row.interface, int(row.atomic), phase, row.process][row.value] for phase in phases)
        untracked = np.median(runs["none", 0, "dirty", row.process])
        assert row.seconds == pytest.approx(took)
        assert row.cost == pytest.approx(took - untracked)
        assert row.tracker == pytest.approx(took - row.dirty)
        assert row.tracked == pytest.approx(row.dirty - untracked)
    assert list(rows["form"].cat.categories) == ["clear_refs", "scan-softdirty", "scan-wp", "scan-wp atomic"]


def test_idle_has_no_writes_and_needs_no_baseline(tmp_path):
    path = synthetic.suite(tmp_path / "suite.json", what=[("idle", 10, 0.0)])
    rows = results.intervals(results.load(path).frame)
    assert (rows["cost"] == rows["tracker"]).all()
    assert (rows[["dirty", "untracked", "tracked"]] == 0).all(axis=None)


def test_wrong_intervals_are_counted_once_per_process(tmp_path):
    wrong = {("scan-wp atomic", "random", 100): (512, 3)}
    what = [("random", 100, 10.0), ("random", 1000, 10.0)]
    path = synthetic.suite(tmp_path / "suite.json", what=what, processes=2, rounds=4, wrong=wrong)
    counts = results.exactness(results.intervals(results.load(path).frame)).set_index(["pages", "form"])
    assert counts.loc[(100, "scan-wp atomic"), ["intervals", "wrong_intervals", "extra", "missed"]].tolist() == [
        32, 2, 1024, 6,
    ]  # fmt: skip
    assert counts.drop(index=(100, "scan-wp atomic"))[["wrong_intervals", "extra", "missed"]].sum().sum() == 0


def test_wrong_totals_without_detail_are_still_wrong(path):
    data = json.loads(path.read_text())
    data["metadata"]["extra"] = 1
    path.write_text(json.dumps(data))
    assert (results.load(path).frame["wrong_intervals"] == 1).all()


def test_new_interface_needs_no_change_here(path):
    path.write_text(path.read_text().replace("scan-softdirty", "brand-new"))
    rows = results.intervals(results.load(path).frame)
    assert list(rows["form"].cat.categories) == ["clear_refs", "scan-wp", "scan-wp atomic", "brand-new"]


def test_choice_of_what_is_shown(path):
    rows = results.intervals(results.load(path).frame)
    sweep = results.sweep(rows)
    assert set(sweep["workload"]) == {"random"}
    assert set(sweep["dirty_percent"]) == {10.0}
    assert sorted(sweep["pages"].unique()) == list(synthetic.SIZES)
    fractions = results.fractions(rows)
    assert set(fractions["pages"]) == {65536}
    assert sorted(fractions["dirty_percent"].unique()) == [0, 1, 10, 50, 100]
    assert set(results.patterns(rows)["workload"]) == {"random", "sequential", "strided", "clustered", "hotset"}
    assert set(results.breakdown(rows)["workload"]) == {"idle", "random", "all"}
    assert set(results.empty(rows)["pages"]) == {1}


def test_fractions_never_mix_two_workloads_in_one_row(tmp_path):
    what = [("random", 1000, 10.0), ("random", 1000, 100.0), ("all", 1000, 100.0), ("idle", 1000, 0.0)]
    rows = results.intervals(results.load(synthetic.suite(tmp_path / "suite.json", what=what)).frame)
    pairs = results.fractions(rows)[["workload", "dirty_percent"]].drop_duplicates()
    assert sorted(map(tuple, pairs.to_numpy())) == [("idle", 0.0), ("random", 10.0), ("random", 100.0)]


def edited(change):
    """A damage: the parsed file after `change` did something to it."""

    def damage(text):
        data = json.loads(text)
        change(data)
        return json.dumps(data).encode()

    return damage


def first_run(data):
    return data["benchmarks"][0]["runs"][0]


DAMAGES = {
    "empty": lambda text: b"",
    "truncated": lambda text: text[: len(text) // 2].encode(),
    "binary": lambda text: bytes(range(256)),
    "a list": lambda text: b"[]",
    "null": lambda text: b"null",
    "deep": lambda text: b"[" * 100_000,
    "not pyperf": lambda text: b'{"benchmarks": []}',
    "other version": edited(lambda d: d.update(version=6)),
    "no benchmarks": edited(lambda d: d.update(benchmarks=[])),
    "benchmarks is text": edited(lambda d: d.update(benchmarks="abc")),
    "foreign": edited(lambda d: d["metadata"].pop("schema")),
    "later schema": edited(lambda d: d["metadata"].update(schema="pagemap-bench 4")),
    "metadata is a list": edited(lambda d: d.update(metadata=[])),
    "no runs": edited(lambda d: d["benchmarks"][0].pop("runs")),
    "zero": edited(lambda d: first_run(d)["values"].append(0)),
    "negative": edited(lambda d: first_run(d)["values"].append(-1e-6)),
    "NaN": edited(lambda d: first_run(d)["values"].append(float("nan"))),
    "infinite": edited(lambda d: first_run(d)["values"].append(float("inf"))),
    "text value": edited(lambda d: first_run(d)["values"].append("fast")),
    "nested values": edited(lambda d: first_run(d).update(values=[[1.0, 2.0]])),
    "no kernel": edited(lambda d: d["metadata"].pop("kernel_release")),
    "pages is text": edited(lambda d: first_run(d)["metadata"].update(pages="many")),
    "no pages": edited(lambda d: first_run(d)["metadata"].update(pages=0)),
    "negative extra": edited(lambda d: first_run(d)["metadata"].update(extra=-1)),
    "huge pages": edited(lambda d: first_run(d)["metadata"].update(pages=2**80)),
    "other unit": edited(lambda d: d["metadata"].update(unit="byte")),
    "unknown phase": edited(lambda d: d["benchmarks"][0]["metadata"].update(phase="dance")),
    "two kernels": edited(lambda d: first_run(d)["metadata"].update(kernel_release="6.1")),
    "same process twice": edited(lambda d: d["benchmarks"][0]["runs"].append(first_run(d))),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_refused_with_a_hint(path, damage):
    path.write_bytes(DAMAGES[damage](path.read_text()))
    with pytest.raises(BadInput) as caught:
        results.load(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "suite.json", tmp_path):
        with pytest.raises(BadInput):
            results.load(path)


def test_foreign_suite_of_pyperf(tmp_path):
    run = pyperf.Run([1.0], metadata={"name": "telco"}, collect_metadata=False)
    pyperf.BenchmarkSuite([pyperf.Benchmark([run])]).dump(str(tmp_path / "suite.json"))
    with pytest.raises(BadInput, match="another program"):
        results.load(tmp_path / "suite.json")


@pytest.mark.parametrize(("interface", "phase"), [("scan-wp", "collect"), ("clear_refs", "dirty"), ("none", "dirty")])
def test_no_interval_without_all_its_phases(path, interface, phase):
    frame = results.load(path).frame
    with pytest.raises(BadInput, match="lacks"):
        results.intervals(frame[(frame["interface"] != interface) | (frame["phase"] != phase)])


def test_baseline_alone_is_no_result(tmp_path):
    loaded = results.load(synthetic.suite(tmp_path / "suite.json", interfaces=["none"], what=[("all", 10, 100.0)]))
    with pytest.raises(BadInput, match="baseline"):
        results.intervals(loaded.frame)


def test_ten_thousand_benchmarks_in_ten_seconds(path):
    data = json.loads(path.read_text())
    benchmarks = []
    for copy in range(10_000 // len(data["benchmarks"]) + 1):
        for one in data["benchmarks"]:
            metadata = {
                **one["metadata"],
                "name": f"{one['metadata']['name']} {copy}",
                "setting": f"writers={copy + 1}",
            }
            benchmarks.append({"metadata": metadata, "runs": one["runs"]})
    path.write_text(json.dumps(data | {"benchmarks": benchmarks}))
    start = time.process_time()
    rows = results.intervals(results.load(path).frame)
    assert time.process_time() - start < 10
    assert len(benchmarks) >= 10_000
    assert rows["setting"].nunique() == 10_000 // len(data["benchmarks"]) + 1
