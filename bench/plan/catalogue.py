# SPDX-License-Identifier: GPL-2.0-only
"""What lies in workloads/: names, summaries and constants of its files, read without running any of them."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from bench.errors import BadInput


class Entry(NamedTuple):
    """One file. `dirty_percent`: what its dirty fraction always is; None: what the point says.

    `repeats`: an interval may write a page more than once.
    """

    name: str
    summary: str
    scenario: bool
    dirty_percent: float | None = None
    repeats: bool = False


@cache
def entries() -> dict[str, Entry]:
    """Return every workload (a file that defines order) and scenario (play) by name, sorted."""
    import ast  # noqa: PLC0415  (as the next: a worker imports this module, is to stay lean, and never asks)
    from pathlib import Path  # noqa: PLC0415

    found = {}
    for path in sorted((Path(__file__).resolve().parents[2] / "workloads").glob("[!_]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        if functions & {"order", "play"}:
            fraction = constants.get("DIRTY_PERCENT")
            found[path.stem] = Entry(
                path.stem,
                (ast.get_docstring(tree) or "").partition("\n")[0],
                "play" in functions,
                float(fraction) if isinstance(fraction, int | float) else None,
                bool(constants.get("REPEATS", False)),
            )
    return found


def workloads() -> dict[str, Entry]:
    """Return the workloads."""
    return {name: entry for name, entry in entries().items() if not entry.scenario}


def scenarios() -> dict[str, Entry]:
    """Return the scenarios."""
    return {name: entry for name, entry in entries().items() if entry.scenario}


def workload(name: str) -> Entry:
    """Return the workload of that name. Raises BadInput that lists the names there are."""
    try:
        return workloads()[name]
    except KeyError:
        raise BadInput(f"there is no workload {name!r}", f"one of: {', '.join(workloads())}") from None


def fraction(name: str) -> float | None:
    """Return what the dirty fraction of a workload always is; None where the point says it, or the name is unknown."""
    entry = entries().get(name)
    return entry.dirty_percent if entry else None


def summary(name: str) -> str:
    """Return the first line of a file's docstring; empty for a name that is unknown."""
    entry = entries().get(name)
    return entry.summary if entry else ""
