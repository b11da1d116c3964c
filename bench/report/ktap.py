# SPDX-License-Identifier: GPL-2.0-only
"""Scenario results in the kernel's test format (Documentation/dev-tools/ktap.rst), for kernel CI."""

from __future__ import annotations

from collections.abc import Iterator

from bench.report import sentences
from bench.store.verdicts import FAILED, NOT_POSSIBLE, Cell, Verdicts

PROBE = "probe"  # the test that fails where a probe was answered wrong
NOT_PLAYED = Cell(FAILED, broken=True, why="not played: the run ended before")


def lines(result: Verdicts) -> Iterator[str]:
    """Yield the lines: a test per scenario, in it a subtest per interface. not ok: pages against the contract.

    Where a probe was answered wrong, there is one test more, which is not ok.
    """
    yield "KTAP version 1"
    yield f"1..{len(result.scenarios) + bool(result.findings)}"
    first = (*sentences.fallen(result.fallen), *sentences.findings(result.findings))
    for line in (*first, *sentences.kernel_log(result.messages)):
        yield f"# {_plain(line)}"
    for key in ("kernel_release", "where", "command"):
        yield f"# {key}: {_plain(str(result.host.get(key, 'unknown')))}"
    for number, (scenario, summary) in enumerate(result.scenarios.items(), start=1):
        cells = {name: result.cells.get((scenario, name), NOT_PLAYED) for name in result.interfaces}
        yield "  KTAP version 1"
        yield f"  1..{len(cells)}"
        yield f"  # summary: {_plain(summary)}"
        for index, (name, cell) in enumerate(cells.items(), start=1):
            yield from (f"  {line}" for line in _subtest(index, name, cell))
        bad = any(cell.broken for cell in cells.values())
        skipped = all(cell.kind == NOT_POSSIBLE for cell in cells.values())
        why = " # SKIP not possible with any interface" if skipped and not bad else ""
        yield f"{'not ok' if bad else 'ok'} {number} {scenario}{why}"
    if result.findings:
        yield f"not ok {len(result.scenarios) + 1} {PROBE}"


def failures(result: Verdicts) -> int:
    """Return how many tests are not ok."""
    return bool(result.findings) + sum(
        any(result.cells.get((scenario, name), NOT_PLAYED).broken for name in result.interfaces)
        for scenario in result.scenarios
    )


def _subtest(index: int, name: str, cell: Cell) -> Iterator[str]:
    """Yield diagnostic lines, which come before the result they are about, and the result."""
    if cell.kind == FAILED:
        yield f"# failed: {_plain(cell.why)}"
    if cell.extra or cell.missed:
        yield f"# extra: {cell.extra}"
        yield f"# missed: {cell.missed}"
    if cell.unsteady:
        yield f"# plays: {cell.like} of {cell.plays} {cell.kind}"
    if cell.contract:
        yield f"# contract: {_plain(cell.contract)}"
    skip = f" # SKIP {_plain(cell.why)}" if cell.kind == NOT_POSSIBLE else ""
    yield f"{'not ok' if cell.broken else 'ok'} {index} {name}{skip}"


def _plain(text: str) -> str:
    """Text without what KTAP reads as a directive, on one line."""
    return " ".join(text.replace("#", "").split())
