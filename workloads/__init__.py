# SPDX-License-Identifier: GPL-2.0-only
"""One file per workload; a new file is found by itself. Its `order()` names the pages that one interval writes."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Protocol, cast

from bench.errors import BadInput

if TYPE_CHECKING:
    from array import array


class Workload(Protocol):
    """What a file in this folder offers."""

    __doc__: str | None

    def order(self, pages: int, dirty: int, seed: int) -> array[int]:
        """Page indices below `pages` in the order one interval writes them: uint32[writes].

        dirty: how many pages the dirty fraction asks for. The same seed: the same pages, on every machine.
        """


def names() -> list[str]:
    """Return the names of all workloads, sorted."""
    # Not pkgutil: it imports inspect, which costs each worker a quarter of a second under TCG.
    return sorted(
        file.removesuffix(".py") for file in os.listdir(__path__[0]) if file[0] != "_" and file.endswith(".py")
    )


def check(name: str) -> None:
    """Raise BadInput that lists the names there are if this is none of them."""
    if name not in names():
        raise BadInput(f"there is no workload {name!r}", f"one of: {', '.join(names())}")


def load(name: str) -> Workload:
    """Return the workload of that name. Raises BadInput."""
    check(name)
    return cast("Workload", importlib.import_module(f"workloads.{name}"))
