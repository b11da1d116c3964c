# SPDX-License-Identifier: GPL-2.0-only
"""Machines that take jobs and yield records: the running kernel, or a guest. Both run bench/measure/serve.py."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import psutil

from bench.errors import BadInput, WorkerFailed
from bench.plan import kconfig
from bench.plan.plan import Plan
from bench.plan.records import INSTRUCTIONS, TIME, Facts
from bench.vm import kernel, qemu

ROOT = Path(__file__).resolve().parents[2]
SERVE = ["-m", "bench.measure.serve"]
GUEST_PACKAGES = ["cffi", "pyperf", "psutil"]
# Bytes, for the guest's kernel, Python and initramfs. With less than 512 MiB a kernel switches THP off by itself
# (hugepage_init() in mm/huge_memory.c).
GUEST_MEMORY = 704 << 20
HUGE_PAGE = 2 << 20
_LINE_BYTES = 1 << 24
_LEAVE_SECONDS = 10.0
_REMARK = 150  # characters


class Server(Protocol):
    """The server of workers at work somewhere. Every wait has a limit in seconds; `doing` is said in its error.

    command_line: QEMU's, empty where there is none.
    """

    command_line: str

    def send(self, line: str) -> None:
        """Give it a line."""

    def line(self, seconds: float, doing: str = ...) -> str | None:
        """Return its next line, None at its good end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def kill(self) -> None:
        """End it, whatever it is doing: who waits for it finds out. From any thread."""


class Here:
    """The running kernel: the server is a child of this process, and dies with it."""

    command_line = ""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *SERVE, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in.close()
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # it sleeps in the kernel: nobody can end it
            self._process.wait(_LEAVE_SECONDS)
        self._out.close()

    def send(self, line: str) -> None:
        """Give it a line. Raises WorkerFailed where it is gone."""
        try:
            self._in.write(line.encode() + b"\n")
        except OSError:
            raise self._gone() or WorkerFailed("the measuring process ended before its work did") from None

    def line(self, seconds: float, doing: str = "its work") -> str | None:
        """Return its next line, None at its good end. Raises WorkerFailed."""
        end = time.monotonic() + seconds
        while b"\n" not in self._rest:
            if not select.select([self._out], [], [], max(0.0, end - time.monotonic()))[0]:
                raise WorkerFailed(f"{doing} was not done within {seconds:.0f} s, so it was stopped")
            data = os.read(self._out.fileno(), 1 << 20)
            if not data:
                if gone := self._gone():
                    raise gone
                return None
            self._rest += data
            if len(self._rest) > _LINE_BYTES:
                raise WorkerFailed(f"{doing} answered with a line that does not end")
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("utf-8", "replace")

    def _gone(self) -> WorkerFailed | None:
        """What is wrong with how the process ended; None if nothing is."""
        try:
            status = self._process.wait(_LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            return WorkerFailed("the measuring process closed its pipes, and stayed", "it was stopped")
        if not status:
            return None
        return WorkerFailed(f"the measuring process ended with status {status}", "its messages are above")

    def kill(self) -> None:
        """End it, whatever it is doing: who waits for it finds out. From any thread."""
        self._process.kill()


class Site(NamedTuple):
    """Where a plan is measured: how to start a machine, how many at once, and what only the host knows of it."""

    start: Callable[[Path, Callable[[str], None]], Server]  # of the console's log, and who hears it
    at_once: int
    facts: Facts
    quantity: str
    title: str
    remarks: tuple[str, ...] = ()  # what whoever asked for it should know
    accel: str = ""  # of guests: the accelerator that was chosen

    @property
    def guest(self) -> bool:
        """Whether its machines are booted."""
        return "kernel_image" in self.facts


def here() -> Site:
    """The running kernel."""
    return Site(lambda log, echo: Here(), 1, {}, TIME, "the running kernel")


def guests(plan: Plan, image: Path, accel: qemu.Accelerator) -> Site:
    """Guests that boot this image. Counted ones don't disturb each other, so two run at once where two fit."""
    memory = plan.bytes_needed + plan.huge_pages * HUGE_PAGE + GUEST_MEMORY
    cpus = plan.cpus_needed or os.cpu_count() or 1

    def start(log: Path, echo: Callable[[str], None]) -> Server:
        guest = qemu.boot(
            image,
            SERVE,
            accel,
            packages=GUEST_PACKAGES,
            memory_mib=memory >> 20,
            cpus=cpus,
            time_limit=0,
            log=log,
            echo=echo,
        )
        guest.command_line = guest.command_line.replace(str(image), image.name)  # results are mailed
        return guest

    facts: Facts = {"where": accel.where, "accel_reason": accel.why, "kernel_image": image.name}
    if (config := kconfig.chosen(kernel.config(image))) != kconfig.UNKNOWN:  # else the guest may know its own
        facts["kernel_config"] = config
    fitting = psutil.virtual_memory().available // memory
    if not fitting:
        raise BadInput(
            f"a guest for this needs {memory >> 20} MiB, more than is free",
            "give fewer --pages, or leave the largest out with --filter",
        )
    at_once = min(2, len(os.sched_getaffinity(0)), fitting) if accel.counted else 1
    title = f"{image.name} under {accel.title}"
    remarks = () if accel.works else (textwrap.shorten(accel.why, _REMARK, placeholder=" [...]") + ".",)
    return Site(start, at_once, facts, INSTRUCTIONS if accel.counted else TIME, title, remarks, accel.word)
