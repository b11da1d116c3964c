# SPDX-License-Identifier: GPL-2.0-only
"""Shows how far a run is and how long it will take, and lets other lines pass above."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bench.suite import Point

PAGE_SECONDS, WRITE_SECONDS = 1e-6, 15e-6  # of all interfaces together: a page populated and walked, one first written


def seconds(points: list[Point], processes: int) -> float:
    """About how long a suite takes on a machine of 2026 that does nothing else: a worker's start, then its pages."""
    return processes * sum(
        0.3 + PAGE_SECONDS * point.pages * (point.loops + 4) + WRITE_SECONDS * point.dirty * (point.loops + 1)
        for point in points
    )


def human(duration: float) -> str:
    """A duration in words: 40 s, 12 min, 3 h."""
    if duration < 90:
        return f"{duration:.0f} s"
    return f"{duration / 60:.0f} min" if duration < 5400 else f"{duration / 3600:.1f} h"


def weight(point: Point) -> float:
    """Relative time of a worker: its start, and every mapping populated and walked."""
    return 1 + point.pages * (point.loops + 4) / 100_000


class Bar:
    """A progress bar on standard error; without a terminal, a line for each pass over the points."""

    def __init__(self, points: list[Point], processes: int) -> None:
        self._weights = [weight(point) for point in points] * processes
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.fields[workers]}/{task.fields[planned]} workers"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("", total=sum(self._weights), workers=0, planned=len(self._weights))
        self._every = max(1, len(points) // 4)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def print(self, line: str) -> None:
        """Print a line above the bar, as it is."""
        self._console.print(line, markup=False)

    def update(self, kind: str, workers: int) -> None:
        """Take note of a record of the given type, after which `workers` workers have finished or had nothing to do."""
        if kind not in ("worker", "skipped"):
            return
        self._progress.update(self._task, completed=sum(self._weights[:workers]), workers=workers)
        if not self._console.is_terminal and (workers % self._every == 0 or workers == len(self._weights)):
            task = self._progress.tasks[self._task]
            left = "" if task.time_remaining is None else f", about {task.time_remaining:.0f} s left"
            self.print(f"{workers} of {len(self._weights)} workers, {task.elapsed or 0:.0f} s{left}")
