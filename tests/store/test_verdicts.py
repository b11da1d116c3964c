# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts: from the log, from the meaning.json of earlier versions, and never from what is damaged."""

import json

import pytest

from bench.errors import BadInput
from bench.plan.records import Failed, Played, Plays, encode
from bench.store import frames, log, verdicts
from tests import synthetic


@pytest.fixture
def one(tmp_path):
    return verdicts.load(synthetic.played(tmp_path / "one"))


def test_cells_say_what_was_seen(one):
    text = {key: cell.text() for key, cell in one.cells.items()}
    assert text["plain", "clear_refs"] == "exact"
    assert text["merge_mmap_after", "clear_refs"] == "+7"
    assert text["fork_child_writes", "clear_refs"] == "(+3)"
    assert text["fork_child_writes", "scan-wp"] == "-1"
    assert text["writers_separate", "clear_refs"] == "-4~"
    assert text["swapped", "scan-wp"] == "no"
    assert text["plain", "uffd-sync"] == "lacks"
    assert (one.cells["writers_separate", "clear_refs"].like, one.cells["writers_separate", "clear_refs"].plays) == (
        3,
        100,
    )


def test_missed_is_graver_than_extra(tmp_path):
    runs = {("plain", "clear_refs"): [Plays(5, extra=2, broken=2), Plays(1, extra=1, missed=1), Plays(4)]}
    cell = verdicts.load(synthetic.played(tmp_path, runs=runs)).cells["plain", "clear_refs"]
    assert (cell.kind, cell.text()) == ("missed", "+2-1~")


def old(folder, change=lambda data: None):
    """The same result as versions before 0.2 had it."""
    records = log.read(synthetic.played(folder / "new") / log.FILE)[0]
    known = [key for key in verdicts._OldPlays._fields if key != "count"]
    played = [
        {"scenario": one.scenario, "interface": one.interface, "contract": one.contract}
        | {"runs": [{"count": run.times, **{key: getattr(run, key) for key in known}} for run in one.runs]}
        for one in records
        if isinstance(one, Played)
    ]
    data = {
        "schema": "pagemap-bench meaning 1",
        "host": {**records[1].facts, "suite": "meaning", "command": records[0].command},
        "interfaces": list(records[0].interfaces),
        "unavailable": {name: list(why) for name, why in records[1].unavailable.items()},
        "scenarios": dict.fromkeys(records[0].scenarios, "Something happens."),
        "verdicts": played,
    }
    change(data)
    (folder / verdicts.OLD).write_text(json.dumps(data))
    return folder


def test_meaning_json_of_earlier_versions_reads_as_the_log_does(tmp_path):
    (tmp_path / "old").mkdir()
    before, now = verdicts.load(old(tmp_path / "old")), verdicts.load(tmp_path / "old/new")
    assert before.cells == now.cells
    assert (before.interfaces, list(before.scenarios)) == (now.interfaces, list(now.scenarios))
    assert before.host == now.host


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data.update(host={}),
        lambda data: data.update(host=[]),
        lambda data: data["host"].pop("copy_page_ns"),
        lambda data: data.update(scenarios=[]),
        lambda data: data.update(verdicts=None),
        lambda data: data["verdicts"][0]["runs"][0].update(extra="x"),
        lambda data: data.update(schema="pagemap-bench meaning 9"),
    ],
)
def test_a_damaged_result_is_refused(tmp_path, harm):
    with pytest.raises(BadInput, match="meaning") as refused:
        verdicts.load(old(tmp_path, harm))
    assert refused.value.hint


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": "other"}', '{"schema": "pagemap-bench meaning 1"}'])
def test_what_is_no_result_is_refused(tmp_path, text):
    (tmp_path / verdicts.OLD).write_text(text)
    with pytest.raises(BadInput):
        verdicts.load(tmp_path)


def test_boots_that_copy_at_other_speeds_are_one_result(tmp_path):
    records = log.read(synthetic.played(tmp_path) / log.FILE)[0]
    again = records[1]._replace(boot=1, facts=records[1].facts | {"copy_page_ns": 300.0})
    synthetic.write(tmp_path, [records[0]._replace(boots=2, processes=2), records[1], again, *records[2:]])
    assert verdicts.load(tmp_path).host["copy_page_ns"] == 200.0, "the median"


def test_a_log_that_lacks_its_machine_is_refused(tmp_path):
    records = log.read(synthetic.played(tmp_path) / log.FILE)[0]
    synthetic.write(tmp_path, [records[0], *records[2:]])
    with pytest.raises(BadInput):
        verdicts.load(tmp_path)
    facts = {key: value for key, value in records[1].facts.items() if key != "copy_page_ns"}
    synthetic.write(tmp_path, [records[0], records[1]._replace(facts=facts), *records[2:]])
    with pytest.raises(BadInput, match="copy_page_ns"):
        verdicts.load(tmp_path)


def test_a_result_without_times_is_no_frame(tmp_path):
    for folder in (synthetic.played(tmp_path / "new"), old(tmp_path)):
        assert verdicts.holds(folder)
        with pytest.raises(BadInput, match="suite meaning, which has no times") as caught:
            frames.load(folder)
        assert caught.value.hint.startswith(f"./bench.py report {folder} takes it")
    assert not verdicts.holds(synthetic.result(tmp_path / "times", what=[("random", 8, 10.0)]))


def test_what_is_to_be_known_of_the_file_is_kept(tmp_path):
    with (synthetic.played(tmp_path) / log.FILE).open("a") as file:
        file.write(encode(Failed(0, "plain with mprotect", "it hung")) + '\n{"type":"pl')
    torn, failed = verdicts.load(tmp_path).notes
    assert "torn" in torn
    assert "plain with mprotect: it hung" in failed


def test_debians_kernels_are_called_by_their_upstream_version(tmp_path):
    debian = {"release": "6.1.0-50-cloud-amd64", "kernel_version": "#1 SMP Debian 6.1.176-1 (2026-11-01)"}
    assert verdicts.load(synthetic.played(tmp_path / "old", **debian)).kernel == "6.1.176"
    assert verdicts.load(synthetic.played(tmp_path / "own", release="7.3.0-rc1-mine+")).kernel == "7.3.0"
