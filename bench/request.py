# SPDX-License-Identifier: GPL-2.0-only
"""What `run` was asked for: its points, what was left open settled, and the line that repeats it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bench import interfaces, suites
from bench.errors import BadInput
from bench.suite import SETTINGS, Point, grid, matching
from bench.vm import kernel

BOOTS = 11  # of a guest, to share the processes


def note(text: str) -> None:
    """Say something to the person; standard output belongs to results."""
    print(text, file=sys.stderr, flush=True)


def _listed(values: Iterable[Any]) -> str:
    """Values as an option takes them: 1,2.5,all."""
    return ",".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


@dataclass
class Request:
    """The options of `run`, as typed."""

    suite: str
    settings: dict[str, list[Any]]  # fields of Point, with the values asked for
    directory: str | None
    workload: tuple[str, ...]
    pages: list[int] | None
    dirty: list[float] | None
    interface: tuple[str, ...]
    pattern: str | None
    processes: int | None
    values: int | None
    seed: int
    name: str | None
    where: str
    kernel: str | None
    accel: str
    boots: int | None
    form: str

    @property
    def own_points(self) -> bool:
        """Whether it names points of its own, instead of the suite's."""
        return bool(self.workload or self.pages or self.dirty or self.settings)

    def points(self) -> list[Point]:
        """Return what to measure: the suite's points, or a grid where its axes were given."""
        points = list(suites.find(self.suite).points)
        if self.own_points:
            pages = self.pages or [10_240]  # 20 huge pages
            points = grid(self.workload or ["random"], pages, self.dirty or [10], **self.settings)
        return matching(points, self.pattern)

    def command(self) -> str:
        """Return the exact line that repeats this run, with the defaults it used."""
        words = ["./bench.py", "run", "--suite", self.suite]
        for option, many in (("--workload", self.workload), ("--interface", self.interface)):
            words += [word for one in many for word in (option, one)]
        for option, numbers in (("--pages", self.pages), ("--dirty", self.dirty)):
            words += [option, _listed(numbers)] if numbers else []
        for key, chosen in self.settings.items():
            one = SETTINGS[key]
            words += [one.option] if one.sort == "flag" else [one.option, _listed(chosen)]
        for option, value in (("--filter", self.pattern), ("--kernel", self.kernel), ("--directory", self.directory)):
            words += [option, value] if value else []
        words += ["--processes", str(self.processes), "--values", str(self.values), "--seed", str(self.seed)]
        words += ["--where", self.where]
        guest = ["--accel", self.accel, "--boots", str(self.boots)]
        return shlex.join(words + (guest if self.where == "vm" else []))

    def repeat(self, values: int) -> str:
        """Return the exact line that repeats a run of the suite meaning, with its default of `values`."""
        words = ["./bench.py", "run", "--suite", self.suite]
        words += [word for one in self.interface for word in ("--interface", one)]
        for option, value in (("--filter", self.pattern), ("--kernel", self.kernel)):
            words += [option, value] if value else []
        words += ["--values", str(self.values or values), "--where", self.where]
        return shlex.join(words + (["--accel", self.accel] if self.where == "vm" else []))

    def settle(self) -> None:
        """Replace what was left open: how often, which interfaces, where. Raises BadInput for unknown names."""
        chosen = suites.find(self.suite)
        self.processes = self.processes or chosen.processes
        self.values = self.values or chosen.values
        self.settle_where()
        self._settle_boots(self.processes)

    def settle_where(self) -> None:
        """Decide between here and a guest. Raises BadInput for unknown interfaces, or a kernel for the running one."""
        for name in self.interface:
            interfaces.find(name)
        if self.kernel and self.where == "here":
            raise BadInput("--kernel needs a virtual machine", "leave out --where here")
        if self.directory and not os.access(self.directory, os.W_OK | os.X_OK):
            raise BadInput(f"no files can be made in {self.directory}", "give --directory one that you may write to")
        if self.where == "auto":
            self.where = "vm" if self.kernel else self._choose()
        if self.where == "vm":
            self.kernel = self.kernel or kernel.DEFAULT
            if self.directory:
                raise BadInput("a guest has no file system but tmpfs", "leave out --directory, or give --where here")

    def _settle_boots(self, processes: int) -> None:
        if self.where == "here" and (self.boots or 1) > 1:
            raise BadInput("--boots needs a virtual machine", "give --where vm, or leave out --boots")
        self.boots = self.boots or (min(processes, BOOTS) if self.where == "vm" else 1)
        if self.boots > processes:
            raise BadInput(
                f"{processes} processes can't share {self.boots} boots", f"give --processes {self.boots} or more"
            )

    def shares(self) -> list[tuple[int, int]]:
        """Return the processes of each boot: [first, end)."""
        processes, boots = self.processes or 1, self.boots or 1
        ends = [processes * i // boots for i in range(boots + 1)]
        return list(pairwise(ends))

    def _choose(self) -> str:
        for name in ("clear_refs", "scan-wp"):
            if why := interfaces.probe(interfaces.find(name)):
                note(f"Measuring in a virtual machine, because here {name} can't be measured: {why.why}.")
                return "vm"
        note("Measuring on the running kernel: it has both interfaces.")
        return "here"
