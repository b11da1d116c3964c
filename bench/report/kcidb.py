# SPDX-License-Identifier: GPL-2.0-only
"""Results as KCIDB takes them, the database of KernelCI: schema 5.3 of https://github.com/kernelci/kcidb-io."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from bench.plan.records import FAILED
from bench.report import judged, outcomes
from bench.report.judged import ERROR, FAIL, PASS, SKIP, XFAIL, XPASS, Test
from bench.report.outcomes import Outcome
from bench.store import frames
from bench.store.verdicts import Cell, Verdicts

VERSION = {"major": 5, "minor": 3}
ORIGIN = TREE = "pagemap_bench"  # of what nobody else has a name for; the root of all tests' paths
_DIGITS = 16  # of a checksum in an identifier
_LONGEST = 16384  # characters of log_excerpt
_Hosted = Verdicts | frames.Result  # whose host says what machine and kernel it was
_ARCHITECTURES = {"aarch64": "arm64"}  # where KernelCI's name is not that of uname -m
# By state. What was expected to fail has no word: that it was is in misc.
_WORDS = {PASS: "PASS", XPASS: "PASS", XFAIL: "FAIL", FAIL: "FAIL", ERROR: "ERROR", SKIP: "SKIP"}
_ENVIRONMENT = ("where", "cpu_model_name", "cpu_count", "memory_kib", "mitigations", "cmdline")


def document(result: Verdicts, base: Verdicts | None = None, build: str | None = None) -> str:
    """Return the JSON of a result: a test per scenario and interface.

    `build`: ORIGIN:ID of the build that a CI system has reported; else there are one and a checkout of our own. Printed
    twice, a result has the same identifiers.
    """
    tests = [
        (part.name, _test(part, test.notes)) for test in judged.judge(result, base) for part in test.parts or (test,)
    ]
    return _document(result, build, tests + _named(outcomes.of_kernel(result, base)))


def measured(result: frames.Result, found: Sequence[Outcome], build: str | None = None) -> str:
    """The same of a result that has times: a test for each of outcomes.of_times(), with its number."""
    return _document(result, build, _named(found))


def _named(found: Sequence[Outcome]) -> list[tuple[str, dict[str, Any]]]:
    return [(".".join(one.path), _number(one)) for one in found]


def _document(result: _Hosted, build: str | None, tests: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """The JSON of named tests."""
    origin = build.partition(":")[0] if build else ORIGIN
    run = hashlib.sha256(repr(sorted(result.host.items())).encode()).hexdigest()[:_DIGITS]
    made: dict[str, Any] = {"version": VERSION}
    if not build:
        build = f"{origin}:{run}"
        made |= {"checkouts": [_checkout(result, build)], "builds": [_build(result, build)]}
    shared = {"origin": origin, "build_id": build, "environment": _environment(result)}
    made["tests"] = [{"id": f"{origin}:{run}:{name}"} | shared | test for name, test in tests]
    return json.dumps(made, indent=1)


def _checkout(result: _Hosted, identifier: str) -> dict[str, Any]:
    commit = str(result.host.get("kernel_commit", ""))
    known = {"git_commit_hash": commit} if re.fullmatch("[0-9a-f]{40}", commit) else {}
    named = {"id": identifier, "origin": ORIGIN, "comment": f"Linux {result.host['kernel_release']}"}
    return named | known | {"valid": True}


def _build(result: _Hosted, identifier: str) -> dict[str, Any]:
    facts = {key: value for key, value in result.host.items() if key.startswith(("kernel_", "config_"))}
    named = {"id": identifier, "origin": ORIGIN, "checkout_id": identifier}
    machine = str(result.host.get("architecture", "x86_64"))
    named |= {"comment": str(result.host["kernel_version"]), "architecture": _ARCHITECTURES.get(machine, machine)}
    return named | {"misc": facts}


def _environment(result: _Hosted) -> dict[str, Any]:
    facts = {key: result.host[key] for key in _ENVIRONMENT if key in result.host}
    return {"comment": str(result.host["where"]), "misc": facts}


def _test(part: Test, about: tuple[str, ...]) -> dict[str, Any]:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", part.name)  # a path has no other letters
    named = {"path": f"{TREE}.{name}", "status": _status(part), "comment": part.why or part.state}
    excerpt = "\n".join((*about, *part.notes))[:_LONGEST]
    return named | {"log_excerpt": excerpt, "misc": {"state": part.state} | (_numbers(part.cell) if part.cell else {})}


def _number(one: Outcome) -> dict[str, Any]:
    """What is said of an outcome. DONE is the schema's word where the number is what a test is for."""
    status = "DONE" if one.state == PASS and one.value is not None else _WORDS[one.state]
    said = {"path": ".".join((TREE, *one.path)), "status": status, "comment": "; ".join(one.notes)}
    number = {"number": {"value": one.value, "unit": one.unit}} if one.value is not None else {}
    return said | number | {"misc": {"state": one.state, **one.misc}}


def _status(part: Test) -> str:
    """Return KCIDB's word. A kernel that crashed or hung failed; of what else came to no end, nothing is known."""
    if part.cell and part.cell.kind == FAILED:
        return "ERROR" if part.cell.plays else "MISS"
    return "FAIL" if part.state == ERROR else _WORDS[part.state]


def _numbers(cell: Cell) -> dict[str, Any]:
    pages = {"extra_pages": cell.extra, "missed_pages": cell.missed, "written_pages": cell.written}
    return {"verdict": cell.text(), "outcome": cell.outcome, "plays": cell.plays} | pages
