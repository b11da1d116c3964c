# SPDX-License-Identifier: GPL-2.0-only
"""KTAP as the kernel documents it, read by a parser of its own."""

import re

import pytest

from bench.plan.records import Messages, Played, Plays
from bench.report import judged, ktap, pages
from bench.store import log, verdicts
from tests import synthetic


@pytest.fixture
def one(tmp_path):
    return verdicts.load(synthetic.played(tmp_path / "one"))


class Ktap:
    """A parser by the rules of Documentation/dev-tools/ktap.rst and of tools/testing/kunit/kunit_parser.py.

    Versions, the header that names a subtest, plans, numbered results, nesting by two spaces; a header's name is that
    of the result behind the subtests. Of directives kunit.py knows SKIP alone.
    """

    LINE = re.compile(r"(ok|not ok) (\d+) ([^#]*?)(?: # (SKIP|TODO|XFAIL|XPASS|TIMEOUT|ERROR)(?: (.*))?)?")
    KUNIT = re.compile(r"^\s*(ok|not ok) ([0-9]+) (- )?([^#]*)( # .*)?$")  # TEST_RESULT
    END = re.compile(r"(List of all partitions:|Kernel panic - not syncing: VFS:|reboot: System halted)")  # KTAP_END

    def __init__(self, text):
        self.lines = text.splitlines()
        self.at = 0
        assert not any(self.END.search(line) for line in self.lines), "kunit.py would read no further"
        self.tests = self.block("", None)
        assert self.at == len(self.lines), self.lines[self.at :]

    def next(self, indent):
        """The next line of this depth without its indent, or None; diagnostic lines are collected."""
        self.notes = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not line.startswith(indent) or line[len(indent)] == " ":
                return None
            line = line[len(indent) :]
            if not line.startswith("#"):
                return line
            self.notes.append(line)
            self.at += 1
        return None

    def block(self, indent, parent):
        assert self.next(indent) == "KTAP version 1"
        self.at += 1
        if parent:
            header = re.fullmatch(rf"{indent}# Subtest: (.+)", self.lines[self.at])
            assert header, "it comes right after the version"
            parent["subtest"] = header[1]
            self.at += 1
        plan = re.fullmatch(rf"{indent}1\.\.(\d+)", self.lines[self.at])
        assert plan, "the plan comes right after the version"
        self.at += 1
        return [self.test(indent, number) for number in range(1, int(plan[1]) + 1)]

    def test(self, indent, number):
        self.next(indent)  # diagnostic lines may be anywhere
        before = self.notes
        deeper = self.at < len(self.lines) and self.lines[self.at].startswith(indent + "  ")
        head = {"subtest": None}
        children = self.block(indent + "  ", head) if deeper else []
        result = self.LINE.fullmatch(self.next(indent))
        assert result, self.lines[self.at]
        assert int(result[2]) == number
        assert self.KUNIT.match(self.lines[self.at])[4] == result[3]
        assert head["subtest"] in (None, result[3]), "kunit.py looks for the result of that name"
        self.at += 1
        return {"ok": result[1] == "ok", "name": result[3], "directive": result[4], "reason": result[5]} | {
            "notes": before + self.notes,
            "children": children,
        }


def text_of(result, base=None):
    return "\n".join(ktap.ktap(result, base))


def failures(result, base=None):
    return ktap.failures(judged.judge(result, base))


def by_interface(test):
    """The subtests of a test, by the interface that their whole names end with."""
    assert all(child["name"].startswith(f"{test['name']}.") for child in test["children"])
    return {child["name"].removeprefix(f"{test['name']}."): child for child in test["children"]}


def test_ktap_is_what_the_kernel_documents(one):
    one = one._replace(scenarios={name: f"Summary of {name} # with a sign." for name in one.scenarios})
    text = text_of(one)
    tests = Ktap(text).tests
    assert [test["name"] for test in tests] == list(synthetic.SCENARIOS)
    assert [test["ok"] for test in tests] == [True, False, False, False, True]
    assert failures(one) == 3
    for test in tests:
        assert list(by_interface(test)) == list(synthetic.NAMES)
        skipped = test["children"][2]
        assert (skipped["ok"], skipped["directive"], skipped["reason"]) == (True, "SKIP", "userfaultfd is refused")
        assert test["ok"] == all(child["ok"] for child in test["children"])
    merge, fork, races, swapped = map(by_interface, tests[1:])
    assert merge["clear_refs"]["notes"][-2:] == ["# extra: 7", "# missed: 0"]
    assert not merge["clear_refs"]["ok"]
    assert fork["clear_refs"]["ok"], "the contract has it so"
    assert "# contract: new memory counts" in fork["clear_refs"]["notes"]
    assert "# plays: 3 of 100 missed" in races["clear_refs"]["notes"]
    assert swapped["scan-wp"]["reason"] == "there is no swap"
    assert tests[4]["directive"] == "SKIP"
    assert text.isascii()


def test_what_died_is_not_skipped(tmp_path):
    runs = {("plain", "clear_refs"): [Plays(9), Plays(1, failed="the process died (-9)")]}
    found = verdicts.load(synthetic.played(tmp_path / "died", runs=runs))
    child = Ktap(text_of(found)).tests[0]["children"][0]
    assert (child["ok"], child["directive"]) == (False, "ERROR")
    assert "# failed: the process died (-9)" in child["notes"]


def test_what_was_not_played_is_not_ok(tmp_path):
    folder = synthetic.played(tmp_path)
    records = log.read(folder / log.FILE)[0]
    gone = next(one for one in reversed(records) if isinstance(one, Played))
    synthetic.write(folder, records[: records.index(gone)])
    found = verdicts.load(folder)
    assert failures(found) >= 1
    tests = {one["name"]: one for one in Ktap(text_of(found)).tests}
    child = by_interface(tests[gone.scenario])[gone.interface]
    assert (child["ok"], child["directive"]) == (False, "ERROR")
    assert "INCOMPLETE: 14 of 15 verdicts." in pages.meant([found])


@pytest.mark.parametrize("broken", ["1..5\n", "KTAP version 1\n1..2\nok 1 a\n", "KTAP version 1\n1..1\nok 2 a\n"])
def test_the_parser_refuses_what_is_no_ktap(broken):
    with pytest.raises((AssertionError, TypeError)):
        Ktap(broken)


FINDING = {"scan-wp": "asked for PAGE_IS_WRITTEN of 8 pages after page 5 was written: reported none (missed 5)"}


def test_a_wrong_answer_to_a_probe_is_not_ok_and_its_scenarios_are_played(tmp_path):
    right = {(scenario, name): [Plays(3, written=1)] for scenario in synthetic.SCENARIOS for name in synthetic.NAMES}
    found = verdicts.load(synthetic.played(tmp_path, runs=right, findings=FINDING))
    text = text_of(found)
    tests = Ktap(text).tests
    assert (tests[-1]["name"], tests[-1]["ok"], tests[-1]["directive"]) == ("probe", False, None)
    assert text.splitlines()[2] == f"# WRONG: scan-wp: {FINDING['scan-wp']}."
    for test in tests[:-1]:
        child = by_interface(test)["scan-wp"]
        assert (child["ok"], child["directive"]) == (True, None), "it was played, as any other"
    assert failures(found) == 1


def test_an_interface_whose_probe_came_to_no_end_is_not_skipped(tmp_path):
    found = verdicts.load(synthetic.played(tmp_path, findings={"uffd-sync": "its probe came to no end: it hung"}))
    assert failures(found) == len(synthetic.SCENARIOS) + 1
    for test in Ktap(text_of(found)).tests[:-1]:
        child = by_interface(test)["uffd-sync"]
        assert (child["ok"], child["directive"]) == (False, "ERROR")
        assert "# failed: its probe came to no end: it hung" in child["notes"]


def test_what_the_kernel_said_is_a_diagnostic(tmp_path):
    said = [Messages(0, {"WARNING": 1}, ["[    9.000000] WARNING: # at x"])]
    found = verdicts.load(synthetic.played(tmp_path, messages=said))
    lines = list(ktap.ktap(found))
    assert lines[2] == "# KERNEL LOG: 1 WARNING; first: [ 9.000000] WARNING: at x"
    assert Ktap("\n".join(lines)).tests[-1]["name"] == synthetic.SCENARIOS[-1]
