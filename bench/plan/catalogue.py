# SPDX-License-Identifier: GPL-2.0-only
"""What lies in workloads/: names, summaries and constants of its files, read without running any of them."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from bench.errors import BadInput
from bench.plan.interfaces import INTERFACES, WRITTEN, Interface

# What scenarios are about, in the order of tables; the file of each says its THEME.
THEMES = (
    "plain writes",
    "new memory",
    "merged areas",
    "protection",
    "moves",
    "dropped pages",
    "fork",
    "kernel writes",
    "shared memory and files",
    "huge pages",
    "multi-size huge pages",
    "hugetlb",
    "what the kernel does by itself",
    "userfaultfd",
    "races",
    "errors and edges",
    "callers' queries",
    "accessed memory",
)


_AS = "as "


class Entry(NamedTuple):
    """One file. `dirty_percent`: what its dirty fraction always is; None: what the point says.

    `repeats`: an interval may write a page more than once. Of a scenario, `theme`: one of THEMES; `most`: how often it
    is played at most, where it waits for something, 0: no matter; `why`: what explains verdicts that are not the truth,
    by whose they are: an interface's name, `scan-wp` with its paths, a group of groups(), or `any`; `as NAME` is what
    that scenario says. `prop`: the property that it is about; interfaces of another do not play it.
    """

    name: str
    summary: str
    scenario: bool
    dirty_percent: float | None = None
    repeats: bool = False
    theme: str = ""
    most: int = 0
    why: dict[str, str] = {}  # noqa: RUF012  (nobody adds to it)
    prop: str = WRITTEN

    def explained(self, interface: Interface) -> str:
        """What explains a verdict of an interface that is not the truth; empty where nothing is known that does."""
        path = interface.path_of or interface.name
        known = (self.why.get(name) for name in (interface.name, path, *groups(interface), "any"))
        return next(filter(None, known), "")


@cache
def entries() -> dict[str, Entry]:
    """Return every workload (a file that defines order) and scenario (play): those by name, these by theme and name."""
    import ast  # noqa: PLC0415  (as the next: a worker imports this module, is to stay lean, and never asks)
    from pathlib import Path  # noqa: PLC0415

    found = {}
    for path in sorted((Path(__file__).resolve().parents[2] / "workloads").glob("[!_]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        constants = {
            target.id: ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Dict)
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
                str(constants.get("THEME", "")),
                int(constants.get("MOST_PLAYS", 0)),
                dict(constants.get("WHY", {})),
                str(constants.get("PROPERTY", WRITTEN)),
            )
    for name, entry in found.items():
        same = {whose: text.removeprefix(_AS) for whose, text in entry.why.items() if text.startswith(_AS)}
        found[name] = entry._replace(why=entry.why | {whose: found[of].why[whose] for whose, of in same.items()})
    return dict(sorted(found.items(), key=lambda one: (_theme(one[1].theme), one[0])))


def _theme(name: str) -> int:
    return THEMES.index(name) if name in THEMES else len(THEMES)


def workloads() -> dict[str, Entry]:
    """Return the workloads."""
    return {name: entry for name, entry in entries().items() if not entry.scenario}


def scenarios(*props: str) -> dict[str, Entry]:
    """Return the scenarios; those about some properties, where any are named."""
    return {name: entry for name, entry in entries().items() if entry.scenario and (not props or entry.prop in props)}


def groups(interface: Interface) -> tuple[str, ...]:
    """Return the groups of interfaces that an explanation may be about, to which this one belongs."""
    found = {
        "soft-dirty": interface.soft_dirty,
        "handlers": not interface.kernel_writes,
        "rwp": interface.prop != WRITTEN and interface.uffd,
        "young": interface.young,
    }
    return tuple(name for name, belongs in found.items() if belongs)


def suits(scenario: str, interface: str) -> bool:
    """Whether a scenario is about what the interface reports. Names that are unknown are of what came first: writes."""
    entry, row = entries().get(scenario), INTERFACES.get(interface)
    return (entry.prop if entry else WRITTEN) == (row.prop if row else WRITTEN)


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


def most_plays(name: str) -> int:
    """Return how often a scenario is played at most; 0 where it doesn't matter, or the name is unknown."""
    entry = entries().get(name)
    return entry.most if entry else 0


def summary(name: str) -> str:
    """Return the first line of a file's docstring; empty for a name that is unknown."""
    entry = entries().get(name)
    return entry.summary if entry else ""
