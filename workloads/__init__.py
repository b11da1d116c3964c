# SPDX-License-Identifier: GPL-2.0-only
"""One file per workload or scenario; a new file is found by itself.

A workload's `order()` names the pages that one interval writes; a scenario's `play()` is a script about meaning.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Protocol, cast

from bench.errors import BadInput

if TYPE_CHECKING:
    from array import array

    from bench.stage import Stage


class Workload(Protocol):
    """What a file in this folder offers."""

    __doc__: str | None

    def order(self, pages: int, dirty: int, seed: int) -> array[int]:
        """Page indices below `pages` in the order one interval writes them: uint32[writes].

        dirty: how many pages the dirty fraction asks for. The same seed: the same pages, on every machine.
        """


class Scenario(Protocol):
    """What the file of a scenario offers. Its docstring: what happens, in the kernel, since when, the source."""

    __doc__: str | None

    def play(self, stage: Stage) -> None:
        """Do it once."""


def _defines(name: str, function: str) -> bool:
    """Tell whether the file of that name has that function, without running it: an import costs under TCG."""
    with open(f"{__path__[0]}/{name}.py", encoding="utf-8") as file:
        return f"\ndef {function}(" in file.read()


def _files() -> list[str]:
    # Not pkgutil: it imports inspect, which costs each worker a quarter of a second under TCG.
    return sorted(
        file.removesuffix(".py") for file in os.listdir(__path__[0]) if file[0] != "_" and file.endswith(".py")
    )


def names() -> list[str]:
    """Return the names of all workloads, sorted."""
    return [name for name in _files() if _defines(name, "order")]


def scenarios() -> list[str]:
    """Return the names of all scenarios, sorted."""
    return [name for name in _files() if _defines(name, "play")]


def check(name: str) -> None:
    """Raise BadInput that lists the names there are if this is no workload."""
    if name not in _files() or not _defines(name, "order"):
        raise BadInput(f"there is no workload {name!r}", f"one of: {', '.join(names())}")


def load(name: str) -> Workload:
    """Return the workload of that name. Raises BadInput."""
    check(name)
    return cast("Workload", importlib.import_module(f"workloads.{name}"))


def repeats(name: str) -> bool:
    """Tell whether a workload may write a page more than once in an interval."""
    return bool(getattr(load(name), "REPEATS", False))


def load_scenario(name: str) -> Scenario:
    """Return the scenario of that name, one of scenarios()."""
    return cast("Scenario", importlib.import_module(f"workloads.{name}"))
