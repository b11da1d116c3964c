# SPDX-License-Identifier: GPL-2.0-only
"""Test results as text: KTAP (Documentation/dev-tools/ktap.rst), and TAP 13 as kselftest's programs print it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.plan.records import HUNG
from bench.report import judged
from bench.report.judged import BAD, ERROR, FAIL, PASS, SKIP, STATES, Test
from bench.store.verdicts import Verdicts

KTAP_VERSION, TAP_VERSION = "KTAP version 1", "TAP version 13"


def ktap(result: Verdicts, base: Verdicts | None = None) -> Iterator[str]:
    """Yield KTAP: a test per scenario, in it, indented, a subtest per interface.

    Where a probe was answered wrong, there is one test more, which is not ok. What the base had already is ok: to
    kunit.py every directive but SKIP is a comment.
    """
    tests = judged.judge(result, base)
    yield from (KTAP_VERSION, f"1..{len(tests)}", *_noted(judged.notes(result, base)))
    for number, test in enumerate(tests, start=1):
        if test.parts:
            yield from ("  " + line for line in (KTAP_VERSION, f"# Subtest: {test.name}", f"1..{len(test.parts)}"))
            yield from ("  " + line for line in (*_noted(test.notes), *_results(test.parts)))
        yield result_line(number, test)


def tap(result: Verdicts, base: Verdicts | None = None) -> Iterator[str]:
    """Yield TAP 13: a test per scenario, and before it, as diagnostics, the TAP of its interfaces.

    That is how kselftest/runner.sh nests the output of a program, and how readers of kselftest's logs take it apart.
    Names of tests must not change with reasons: a reader that makes SKIP's reason a part of the name gets none.
    """
    tests = judged.judge(result, base)
    yield from (TAP_VERSION, f"1..{len(tests)}", *_noted(judged.notes(result, base)))
    for number, test in enumerate(tests, start=1):
        if test.parts:
            inner = (TAP_VERSION, f"1..{len(test.parts)}", *_noted(test.notes), *_results(test.parts, reasons=False))
            yield from _noted((*inner, _totals(test.parts)))
        yield result_line(number, test, reasons=False)
    yield _totals(tests)


def result_line(number: int, test: Test, *, reasons: bool = True) -> str:
    """Return the line that says how a test ended; without reasons, none behind SKIP."""
    line = f"{'not ok' if test.state in BAD else 'ok'} {number} {test.name}"
    if test.state in (PASS, FAIL):
        return line
    hung = test.state == ERROR and test.cell and test.cell.kind == HUNG
    directive = "TIMEOUT" if hung else test.state.upper()
    why = test.why if reasons or test.state != SKIP else ""
    return f"{line} # {directive} {why}".rstrip()


def failures(tests: Sequence[Test]) -> int:
    """Return how many tests are not ok."""
    return sum(test.state in BAD for test in tests)


def _results(tests: Sequence[Test], *, reasons: bool = True) -> Iterator[str]:
    """Yield for each test its diagnostic lines, which come before the result they are about, and the result."""
    for number, test in enumerate(tests, start=1):
        yield from _noted(test.notes)
        yield result_line(number, test, reasons=reasons)


def _noted(lines: Sequence[str]) -> Iterator[str]:
    return (f"# {line}" for line in lines)


def _totals(tests: Sequence[Test]) -> str:
    """Return the last line of kselftest's programs (ksft_print_cnts() in tools/testing/selftests/kselftest.h)."""
    states = [test.state for test in tests]
    return "# Totals: " + " ".join(f"{state}:{states.count(state)}" for state in STATES)
