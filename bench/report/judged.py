# SPDX-License-Identifier: GPL-2.0-only
"""Verdicts as test results: what passes and fails, by the contract alone or against what a baseline had already."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from bench.plan import catalogue
from bench.plan.records import FAILED, REFUSED
from bench.report import sentences
from bench.stats import verdict_changes
from bench.store.verdicts import LACKS, NOT_POSSIBLE, WORSE, Cell, Verdicts

# As tools/testing/selftests/kselftest.h counts them
PASS, FAIL, XFAIL, XPASS, SKIP, ERROR = STATES = "pass", "fail", "xfail", "xpass", "skip", "error"
BAD = (FAIL, ERROR)
PROBE = "probe"  # the test that fails where a probe was answered wrong
NOT_PLAYED = Cell(FAILED, broken=True, why="not played: the run ended before")
# What ends a log for kunit.py (KTAP_END in tools/testing/kunit/kunit_parser.py); a kernel that crashed may have said it
_ENDS = re.compile(r"List of all partitions:|Kernel panic - not syncing: VFS:|reboot: System halted")
_GRAVITY = (ERROR, FAIL, XFAIL, XPASS, PASS)  # of parts, for the whole; it is skipped where all of them are


class Test(NamedTuple):
    """A test of a reader of test results: a scenario, with its interfaces as parts, or one of those."""

    name: str
    state: str  # one of STATES
    why: str = ""
    notes: tuple[str, ...] = ()
    parts: tuple[Test, ...] = ()
    cell: Cell | None = None  # of an interface


def judge(result: Verdicts, base: Verdicts | None = None) -> list[Test]:
    """Return a test for each scenario, and one for the probes where one was answered wrong.

    With a base, what was against the contract there and is no worse now is expected.
    """
    found = [_scenario(result, base, scenario) for scenario in result.scenarios]
    if result.findings:
        known = base is not None and result.findings.keys() <= base.findings.keys()
        found.append(Test(PROBE, XFAIL if known else FAIL))
    return found


def notes(result: Verdicts, base: Verdicts | None = None) -> list[str]:
    """Return what is said before all tests: what went wrong as a whole, the machine, the base."""
    said = [*sentences.fallen(result.fallen), *sentences.findings(result.findings)]
    said += sentences.kernel_log(result.messages)
    said += [f"{key}: {result.host.get(key, 'unknown')}" for key in ("kernel_release", "where", "command")]
    if base:
        said.append(f"baseline: {base.name}, kernel {base.host['kernel_release']}")
    return [plain(line) for line in said]


def plain(text: str) -> str:
    """Text on one line without what readers take for a directive, or for the log's end."""
    line = " ".join(text.replace("#", "").split())
    return _ENDS.sub(lambda end: end[0].replace(":", ""), line)


def _scenario(result: Verdicts, base: Verdicts | None, scenario: str) -> Test:
    parts = []
    for name in (one for one in result.interfaces if catalogue.suits(scenario, one)):
        cell = result.cells.get((scenario, name), NOT_PLAYED)
        was = base.cells.get((scenario, name)) if base else None
        parts.append(_part(f"{scenario}.{name}", cell, was))
    states = {part.state for part in parts}
    state = next((one for one in _GRAVITY if one in states), SKIP)
    why = "not possible with any interface" if state == SKIP else ""
    notes = (f"summary: {plain(result.scenarios[scenario])}",)
    return Test(scenario, FAIL if state == ERROR else state, why, notes, tuple(parts))


def _part(name: str, cell: Cell, was: Cell | None) -> Test:
    state = _state(cell, was)
    why = f"{cell.kind}: {cell.why}" if cell.ended else cell.why if state == SKIP else ""
    if state == XFAIL:
        why = f"as in the baseline: {cell.text()}"
    return Test(name, state, plain(why), tuple(map(plain, _notes(cell, was))), cell=cell)


def _state(cell: Cell, was: Cell | None) -> str:
    if cell.kind == NOT_POSSIBLE:
        gone = was and was.kind != NOT_POSSIBLE and cell.no in (LACKS, REFUSED)  # by the kernel, which answered before
        return FAIL if gone else SKIP
    if not cell.broken:
        return XPASS if was and was.broken else PASS
    if was and was.broken and verdict_changes.direction(was, cell) != WORSE:
        return XFAIL
    return ERROR if cell.ended else FAIL


def _notes(cell: Cell, was: Cell | None) -> Sequence[str]:
    said = []
    if cell.ended or cell.kind == NOT_POSSIBLE:
        said.append(f"{cell.kind}: {cell.why}{f' ({cell.remedy})' if cell.remedy else ''}")
    if cell.extra or cell.missed:
        said += [f"extra: {cell.extra}", f"missed: {cell.missed}"]
    if cell.unsteady:
        said.append(f"plays: {cell.like} of {cell.plays} {cell.kind}")
    if cell.contract:
        said.append(f"contract: {cell.contract}")
    if was and was.text() != cell.text():
        said.append(f"baseline: {was.text()}, now {cell.text()}")
    return said
