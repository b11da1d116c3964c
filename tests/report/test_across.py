# SPDX-License-Identifier: GPL-2.0-only
"""Results of two architectures: what may be compared is said, and nothing is claimed of what may not."""

import re

import pytest

from bench.errors import BadInput
from bench.report import across as report
from bench.run import commands, functions
from bench.stats import across, comparison
from tests import synthetic
from tests.texts import assert_mailable, words

FORMS = ("scan-wp", "scan-wp atomic")
WHAT = [("random", pages, 10.0) for pages in (100, 1000, 10_000)]


def sides(tmp_path, *hosts, **options):
    """Load invented results, one for each machine."""
    folders = [
        synthetic.result(tmp_path / f"side{number}", what=WHAT, noise=0.0, interfaces=("none", "scan-wp"), **host)
        for number, host in enumerate(hosts)
    ]
    return folders, comparison.load(folders)


X86, ARM64 = {"architecture": "x86_64"}, {"architecture": "aarch64"}


def cells(text):
    """The cells of each row by form and name."""
    found, form = {}, ""
    for line in text.splitlines():
        if " | " in line or "|" in line:
            name, *values = (cell.strip() for cell in line.split("|"))
            found[form, name] = values
        else:
            form = line.strip()
    return found


def test_ratios_are_compared_and_instructions_are_not(tmp_path):
    wrong = {("scan-wp", "random", 1000): (3, 0)}
    base = synthetic.result(tmp_path / "x86", what=WHAT, noise=0.0, interfaces=("none", "scan-wp"), **X86)
    other = synthetic.result(
        tmp_path / "arm64", what=WHAT, noise=0.0, interfaces=("none", "scan-wp"), factor={"scan-wp": 3.0}, wrong=wrong,
        **ARM64
    )  # fmt: skip
    loaded = comparison.load([base, other])
    assert across.unlike(loaded) == ["architecture"]
    text = report.text(loaded)
    assert_mailable(text)
    found = cells(text)
    assert found["scan-wp", "cost"][-1] == "no"
    assert {values[-1] for (form, name), values in found.items() if form in FORMS and name != "cost"} == {"yes"}
    assert found["scan-wp", "wrong intervals"][0].startswith("0 of ")
    assert not found["scan-wp", "wrong intervals"][1].startswith("0 of ")
    assert found["scan-wp", "cost over that of 1000 pages"][0] != "?"
    assert found["scan-wp atomic", "cost over that of scan-wp"][0].endswith("x")
    assert not re.search(r"[-+]\d+(\.\d+)?%", text), "shares, and no change"


def test_sides_with_long_names_are_letters_in_the_table(tmp_path):
    _, loaded = sides(tmp_path, X86, ARM64, ARM64 | {"page_size": 16384})
    long = [one._replace(name=f"a-name-too-long-for-a-column-{number}") for number, one in enumerate(loaded)]
    text = report.text(long)
    assert_mailable(text)
    assert cells(text)["scan-wp", "cost over that of 1000 pages"], "no name of a quantity is cut"
    for letter, one in zip("ABC", long, strict=True):
        assert f"{letter} = {one.name}: " in words(text)


def test_ratios_of_what_was_measured_in_two_ways_are_not_compared_and_it_is_said_why(tmp_path):
    for number, (one, other) in enumerate([("kvm", "tcg"), ("bare-metal", "kvm")]):
        _, loaded = sides(tmp_path / str(number), X86 | {"where": one}, ARM64 | {"where": other})
        text = report.text(loaded)
        assert_mailable(text)
        found = cells(text)
        told = {(name == "wrong intervals", values[-1]) for (form, name), values in found.items() if form in FORMS}
        assert told == {(True, "yes"), (False, "no")}, "what an interface answers is the same question"
        said = words(text)
        assert "no: the sides were measured in different ways: dirty over untracked writes, reset, of interval" in said
        assert "measure both in one way" in said
    _, loaded = sides(tmp_path / "alike", X86 | {"where": "tcg"}, ARM64 | {"where": "tcg"})
    assert "measured in different ways" not in words(report.text(loaded))


@pytest.mark.parametrize("hosts", [(X86, X86), (X86, {}), ({}, {})])
def test_what_is_alike_or_unknown_is_compared_as_ever(tmp_path, hosts):
    _, loaded = sides(tmp_path, *hosts)
    assert across.unlike(loaded) == []


def test_pages_of_another_size_are_another_machine_and_are_called_so(tmp_path):
    _, loaded = sides(tmp_path, ARM64, ARM64 | {"page_size": 16384})
    assert across.unlike(loaded) == ["page_size"]
    assert "different page sizes" in words(report.text(loaded))
    assert "pages of 16 KiB" in report.text(loaded)


@pytest.mark.parametrize(
    "options", [{"fail_on": 3.0}, {"form": "json"}, {"name": "kept"}, {"metric": "collect"}, {"pattern": "all*"}]
)
def test_what_needs_a_change_in_percent_is_refused(tmp_path, options):
    folders, _ = sides(tmp_path, X86, ARM64)
    with pytest.raises(BadInput, match="differ in architecture"):
        commands.compare(commands.Comparing(tuple(map(str, folders)), **options))


def test_compare_prints_the_table(tmp_path, capsys):
    folders, loaded = sides(tmp_path, X86, ARM64)
    commands.compare(commands.Comparing(tuple(map(str, folders))))
    assert capsys.readouterr().out.strip() == report.text(loaded).strip()


def test_no_letter_and_no_ledger_tells_changes_of_two_instruction_sets(tmp_path):
    folders, _ = sides(tmp_path, X86, ARM64)
    names = tuple(map(str, folders))
    for tell in (
        lambda: commands.cover_letter(names),
        lambda: functions.run(functions.Functions(names, None, None, "text", None)),
    ):
        with pytest.raises(BadInput, match="differ in architecture"):
            tell()
