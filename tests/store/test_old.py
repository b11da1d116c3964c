# SPDX-License-Identifier: GPL-2.0-only
"""Results of earlier versions are read as they were meant, or refused with the reason."""

import gzip
import json

import pyperf
import pytest

from bench.errors import BadInput
from bench.store import export, frames, log
from tests import synthetic

FILE = "suite.json"


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """A result, as its log and as version 3 had it: the same metadata and values, in a suite of pyperf."""
    folder = synthetic.result(tmp_path_factory.mktemp("example"))
    export.write_suite(folder)
    return folder, (folder / FILE).read_text().replace('"pagemap-bench 5"', '"pagemap-bench 3"')


@pytest.fixture
def path(tmp_path, example):
    (tmp_path / FILE).write_text(example[1])
    return tmp_path / FILE


def test_a_result_of_version_3_reads_as_its_log_does(path, example):
    old, new = frames.load(path.parent), frames.load(example[0])
    keys = ["workload", "pages", "dirty_percent", "setting", "interface", "atomic", "phase", "process", "round"]
    frame, expected = (one.frame.set_index(keys).sort_index() for one in (old, new))
    assert frame["value"].tolist() == pytest.approx(expected["value"].tolist())
    for column in ("quantity", "unit", "kind", "writers", "boot", "intervals", "extra", "written_pages", "cpu", "seed"):
        assert frame[column].tolist() == expected[column].tolist()
    assert old.host["kernel_release"] == new.host["kernel_release"]
    assert old.planned == new.planned


def test_the_seconds_of_a_counted_result_are_read_as_the_instructions_that_they_were(path):
    path.write_text(path.read_text().replace('"kvm"', '"tcg-icount"'))
    frame = frames.load(path.parent).frame
    assert set(frame["unit"]) == {"instruction"}
    data = json.loads(path.read_text())
    values = [value for one in data["benchmarks"] for run in one["runs"] for value in run["values"]]
    assert sorted(frame["value"]) == pytest.approx(sorted(1e9 * value for value in values))


def test_a_result_of_version_1_is_read_as_one_boot(path):
    data = json.loads(path.read_text())
    data["metadata"]["schema"] = "pagemap-bench 1"
    data["metadata"].pop("boot")
    new = frames.load(path.parent).frame
    path.write_text(json.dumps(data))
    assert frames.load(path.parent).frame.equals(new)
    data["metadata"]["schema"] = "pagemap-bench 2"
    path.write_text(json.dumps(data))
    with pytest.raises(BadInput, match="boot"):
        frames.load(path.parent)


def test_the_log_goes_before_an_export_beside_it(path, example):
    (path.parent / log.FILE).write_bytes((example[0] / log.FILE).read_bytes())
    path.write_text("no suite")
    assert frames.load(path.parent).frame.equals(frames.load(example[0]).frame)


def test_reasons_and_planned_runs_are_read(path):
    data = json.loads(path.read_text())
    data["metadata"] |= {"unavailable:v6": "no v6", "planned_runs": 999}
    path.write_text(json.dumps(data))
    loaded = frames.load(path.parent)
    assert loaded.unavailable == {"v6": "no v6"}
    assert loaded.planned == 999
    assert not [key for key in loaded.host if key.startswith("unavailable")]


@pytest.mark.parametrize("key", ["memory_bytes", "planned_runs"])
def test_metadata_of_another_type_is_refused(path, key):
    data = json.loads(path.read_text())
    data["metadata"][key] = "many"
    path.write_text(json.dumps(data))
    with pytest.raises(BadInput, match=f"metadata.{key} is 'many'"):
        frames.load(path.parent)


def test_gz(path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    (folder / f"{FILE}.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert frames.load(folder).frame.equals(frames.load(path.parent).frame)


def test_warmup_only_runs_are_no_values(path):
    data = json.loads(path.read_text())
    first = data["benchmarks"][0]["runs"]
    first.insert(0, {"warmups": [[1, 1.0]], "metadata": first[0].get("metadata", {})})
    before = len(frames.load(path.parent).frame)
    path.write_text(json.dumps(data))
    assert len(frames.load(path.parent).frame) == before


def test_wrong_totals_without_detail_are_still_wrong(path):
    data = json.loads(path.read_text())
    data["metadata"]["extra"] = 1
    path.write_text(json.dumps(data))
    assert (frames.load(path.parent).frame["wrong_intervals"] == 1).all()


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
    "later schema": edited(lambda d: d["metadata"].update(schema="pagemap-bench 9")),
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
        frames.load(path.parent)
    assert str(path.parent) in str(caught.value)
    assert caught.value.hint


def test_foreign_suite_of_pyperf(tmp_path):
    run = pyperf.Run([1.0], metadata={"name": "telco"}, collect_metadata=False)
    pyperf.BenchmarkSuite([pyperf.Benchmark([run])]).dump(str(tmp_path / "suite.json"))
    with pytest.raises(BadInput, match="another program"):
        frames.load(tmp_path)
