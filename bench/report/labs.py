# SPDX-License-Identifier: GPL-2.0-only
"""Outcomes in the words of labs that run kernels: lkp-tests, LAVA and tmt. What reads each: bench/labs/README.md."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bench.report.judged import ERROR, FAIL, PASS, SKIP, XFAIL, XPASS
from bench.report.outcomes import Outcome

# What fails as in the baseline is no failure. LAVA has no word for that; tmt has one for remarks.
_LAVA = {PASS: "pass", XPASS: "pass", XFAIL: "pass", FAIL: "fail", ERROR: "fail", SKIP: "skip"}
_TMT = {PASS: "pass", XPASS: "pass", XFAIL: "info", FAIL: "fail", ERROR: "error", SKIP: "skip"}


def lkp(outcomes: Sequence[Outcome]) -> str:
    """Lines `key: number`, as sbin/dump-stat of lkp-tests takes them: the median by its unit, and 1 for the state.

    lkp-tests knows a failure by the key's end, .fail or .error, and which way a number is better by its etc/index-*.
    """
    lines = []
    for one in outcomes:
        name = ".".join(one.path)
        lines += [f"{name}.{one.unit}: {one.number}"] * (one.value is not None)
        lines.append(f"{name}.{one.state}: 1")
    return "\n".join(lines)


def lava(outcomes: Sequence[Outcome]) -> str:
    """A shell script that calls lava-test-case for each, for a step of a LAVA test definition."""
    lines = []
    for one in outcomes:
        measured = f" --measurement {one.number} --units {one.unit}" if one.value is not None else ""
        lines.append(f"lava-test-case {'.'.join(one.path)} --result {_LAVA[one.state]}{measured}")
    return "\n".join(lines)


def tmt(outcomes: Sequence[Outcome]) -> str:
    """The results.json of a tmt test with `result: custom`. tmt has no numbers: they are notes."""
    found = []
    for one in outcomes:
        measured = [f"{one.number} {one.unit}"] if one.value is not None else []
        found.append({"name": f"/{'/'.join(one.path)}", "result": _TMT[one.state], "note": [*measured, *one.notes]})
    return json.dumps(found, indent=1)
