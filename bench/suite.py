# SPDX-License-Identifier: GPL-2.0-only
"""What is measured: points (workload, size, dirty fraction) and the suites made of them."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING, NamedTuple

import workloads
from bench.errors import BadInput

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Sequence

MAX_PAGES = 2**32  # page indices are 32 bits wide in the core: 16 TiB
WORKER_BYTES = 40 << 20  # a worker's own memory beyond its mapping, at most
WORKER_BYTES_PER_PAGE = 48


class Point(NamedTuple):
    """One thing to measure: a workload on a mapping of `pages` pages of which `dirty_percent` is written."""

    workload: str
    pages: int
    dirty_percent: float

    @property
    def name(self) -> str:
        """As in every table and benchmark name."""
        return f"{self.workload} pages={self.pages} dirty={self.dirty_percent:g}%"

    @property
    def dirty(self) -> int:
        """Pages the fraction asks for: at least one, unless the fraction is 0."""
        return max(1, round(self.pages * self.dirty_percent / 100)) if self.dirty_percent else 0

    @property
    def loops(self) -> int:
        """Intervals per value: small mappings need many, to be longer than the clock's steps.

        A fixed rule, not a calibration: every interface, machine and run does the same.
        """
        return min(100, max(1, 20_000 // self.pages))

    @property
    def bytes_needed(self) -> int:
        """Memory of a worker at this point, at most."""
        return self.pages * (4096 + WORKER_BYTES_PER_PAGE) + WORKER_BYTES

    def order(self, seed: int) -> array[int]:
        """Page indices in the order one interval writes them: uint32[writes]."""
        return workloads.load(self.workload).order(self.pages, self.dirty, seed)


class Suite(NamedTuple):
    """A named list of points, with the defaults of how often to measure them."""

    name: str
    summary: str
    points: tuple[Point, ...]
    processes: int = 22  # at 1 % noise, 2 % is found among 88 comparisons in 95 of 100 cases: tests/test_stats.py
    values: int = 1
    interfaces: tuple[str, ...] = ()  # all, where none is named


def grid(names: Iterable[str], sizes: Iterable[int], percents: Sequence[float]) -> list[Point]:
    """Every combination once. Where small sizes make two fractions write as many pages, the first one stays."""
    points: dict[tuple[str, int, int], Point] = {}
    for name in names:
        for pages in sizes:
            for percent in percents:
                point = make_point(name, pages, percent)
                points.setdefault((name, pages, 0 if name in ("idle", "all") else point.dirty), point)
    return list(points.values())


def make_point(name: str, pages: int, percent: float) -> Point:
    """Return a point. Raises BadInput for an unknown workload or a size that can't be."""
    workloads.check(name)
    if not 1 <= pages <= MAX_PAGES:
        raise BadInput(f"{pages} pages can't be mapped", f"give 1 to {MAX_PAGES} pages")
    if not 0 <= percent <= 100:
        raise BadInput(f"{percent:g} % of the pages can't be dirty", "give 0 to 100")
    return Point(name, pages, {"idle": 0.0, "all": 100.0}.get(name, percent))


SIZES = (1, 10, 100, 1000, 10_000, 65_536)

SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "quick",
            "every interface over 1 to 65,536 pages, three dirty fractions and all patterns",
            (
                Point("idle", 1, 0.0),  # what the empty mapping costs: the process around it, for clear_refs
                *grid(["random"], SIZES, (10, 1, 100)),
                *grid(["idle", "all", "sequential", "strided", "clustered", "hotset"], [10_000], [10]),
            ),
            interfaces=("clear_refs", "scan-softdirty", "scan-wp"),
        ),
        Suite(
            "lkml-2022",
            "every interface over the sizes of the 2022 discussion, all pages written",
            tuple(grid(["all"], (1, 10, 100, 1000, 10_000), [100])),
        ),
    )
}


def find(name: str) -> Suite:
    """Return the suite of that name. Raises BadInput that lists the names there are."""
    try:
        return SUITES[name]
    except KeyError:
        raise BadInput(f"there is no suite {name!r}", f"one of: {', '.join(SUITES)}") from None


def matching(points: Iterable[Point], pattern: str | None) -> list[Point]:
    """Return the points whose name matches the shell pattern. Raises BadInput if none does."""
    points = list(points)
    chosen = [p for p in points if not pattern or fnmatch(p.name, pattern)]
    if not chosen:
        raise BadInput(
            f"--filter {pattern!r} matches no point",
            f"names look like {points[0].name!r}; try '*{points[0].workload}*'",
        )
    return chosen
