# SPDX-License-Identifier: GPL-2.0-only
"""What `report` and `compare` do with verdicts: each form, and where what they make can't be kept."""

import csv
import io
import json

import pytest

from bench.errors import BadInput, PermissionDenied
from bench.run import meant
from tests.support import ROOT

ONE, TWO = (ROOT / "results" / name for name in ("example-meaning-6.12", "example-meaning-7.3"))


def rows(said):
    return list(csv.reader(io.StringIO(said)))


def test_several_results_are_a_table_and_no_page_without_a_folder(capsys):
    meant.report([ONE, TWO], "csv", None, everything=False)
    table = rows(capsys.readouterr().out)
    assert len(table) > 100
    assert {len(row) for row in table} == {len(table[0])}
    with pytest.raises(BadInput, match="no folder for a page"):
        meant.report([ONE, TWO], "html", None, everything=False)


def test_a_report_that_cannot_be_kept_is_printed_and_an_error_where_the_folder_was_asked_for(
    monkeypatch, capsys, tmp_path
):
    kept = meant.pages.meant

    def full(results, *, everything, into=None):
        if into:
            raise PermissionDenied(f"can't write {into[0]}/report.txt: No space left on device", "free some")
        return kept(results, everything=everything)

    monkeypatch.setattr(meant.pages, "meant", full)
    meant.report([ONE], "text", None, everything=False)
    said = capsys.readouterr()
    assert "scan-wp" in said.out
    assert "The report is not kept: can't write" in said.err
    with pytest.raises(PermissionDenied):
        meant.report([ONE], "text", tmp_path, everything=False)
    assert capsys.readouterr().out == said.out


def test_changes_in_each_form(capsys):
    found = {}
    for form in ("text", "markdown", "json", "csv", "html"):
        meant.compare([ONE, TWO], form, "merge_*", None)
        found[form] = capsys.readouterr().out
    changed = {row[0] for row in rows(found["csv"])[1:]}
    assert json.loads(found["json"])["changes"]
    assert found["html"].startswith("<!doctype html>")
    assert "| " in found["markdown"]
    assert all("merge_" in found[form] for form in found)
    assert changed


def test_a_pattern_is_of_scenarios_or_of_one_with_its_interface(capsys):
    results = meant.verdicts.load(ONE)
    assert meant.chosen(results, "*") is results
    assert {name for name, _ in meant.chosen(results, "merge_brk").cells} == {"merge_brk"}
    assert list(meant.chosen(results, "merge_brk clear_refs").cells) == [("merge_brk", "clear_refs")]
    with pytest.raises(BadInput, match="matches no verdict of example-meaning"):
        meant.chosen(results, "nothing")
