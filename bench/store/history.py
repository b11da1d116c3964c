# SPDX-License-Identifier: GPL-2.0-only
"""What is kept of many kernels, a folder of each below one of two: what was counted, and what scenarios found."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from bench.errors import BadInput
from bench.plan.records import Record, Timed
from bench.store import log

COUNTED, PLAYED = "counted", "meaning"  # folders, each with one of every kernel, named by its version
SUITES = {COUNTED: "history", PLAYED: "meaning"}  # of which they are


def order(version: str) -> tuple[int, ...]:
    """What versions are sorted by: 6.12.9 comes before 6.12.43, and that before 6.16."""
    return tuple(int(part) for part in re.findall(r"\d{1,9}", version))


def series(version: str) -> str:
    """Return the series of a version: 6.12 of 6.12.43."""
    return ".".join(version.split(".")[:2])


def versions(top: Path) -> list[str]:
    """Return the kernels of which something was measured to its end, the oldest first."""
    every = (path for half in (COUNTED, PLAYED) for path in top.glob(f"{half}/*"))
    found = {path.name for path in every if os.path.lexists(path / log.PACKED)}
    return sorted(filter(str.isprintable, found), key=order)  # no version has other characters


def packed(folder: Path) -> bool:
    """Whether a half is there, packed: what is not is still being measured.

    Raises BadInput for what is there and is no such half: to leave it out would make other steps of the rest.
    """
    path, suite = folder / log.PACKED, SUITES[folder.parent.name]
    hint = "move it away; ./bench.py history then measures that kernel"
    if not os.path.lexists(path):
        return False
    if not path.is_file():
        raise BadInput(f"{path} is no file", hint)
    if (other := log.plan(path).suite) != suite:
        raise BadInput(f"{path} is of the suite {other}, not of {suite}", hint)
    return True


def whole(folder: Path) -> bool:
    """Whether a half was measured to its end, is packed and not damaged, and what it counted has names."""
    path = folder / log.PACKED
    try:
        return path.is_file() and not (folder / log.FILE).is_file() and named(log.read(path)[0])
    except BadInput:
        return False


def named(found: Sequence[Record]) -> bool:
    """Whether it is known which functions executed what was counted; of what was not counted nothing is to be known."""
    timed = [one for one in found if isinstance(one, Timed)]
    every = [some for one in timed for series in one.series for some in series.functions.values()]
    return not timed or any(any(some) for some in every)


def before(known: list[str]) -> dict[str, str]:
    """Return what each version is compared with: the one before it in its series, else the first of the series before.

    A stable kernel gets fixes when a later series gets them, too: the last of a series is younger than the first of the
    next one, and to compare those two would undo fixes that are only not there yet. Versions in their order.
    """
    found: dict[str, str] = {}
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    for version in known:
        own = series(version)
        if own in last:
            found[version] = last[own]
        else:
            if first:
                found[version] = list(first.values())[-1]
            first[own] = version
        last[own] = version
    return found
