# SPDX-License-Identifier: GPL-2.0-only
"""Machines that take jobs and yield records: the running kernel, or a guest. Both run bench/measure/serve.py."""

from __future__ import annotations

import os
import select
import shlex
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

from bench.errors import BadInput, Unsupported, WorkerFailed
from bench.plan import kconfig
from bench.plan.plan import Plan
from bench.plan.records import INSTRUCTIONS, TIME, Facts
from bench.vm import counting, kernel, qemu, symbols

ROOT = Path(__file__).resolve().parents[2]
SERVE = ["-m", "bench.measure.serve"]
GUEST_PACKAGES = ["cffi", "pyperf", "psutil"]
# Bytes, for the guest's kernel, Python and initramfs: usually, and at least. With less than 512 MiB of free memory at
# its start a kernel switches THP off by itself, whatever its command line says (hugepage_init() in mm/huge_memory.c).
GUEST_MEMORY = 704 << 20
LEAST_MEMORY = 256 << 20
THP_MEMORY = 640 << 20
HUGE_PAGE = 2 << 20
_LINE_BYTES = 1 << 24
_LEAVE_SECONDS = 10.0
_REMARK = 150  # characters


class Server(Protocol):
    """The server of workers at work somewhere. Every wait has a limit in seconds; `doing` is said in its error.

    command_line: QEMU's, empty where there is none. counts: what a plugin of QEMU counts, None where there is none.
    """

    command_line: str
    counts: counting.Counts | None

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
    counts: counting.Counts | None = None

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

    start: Callable[[Path, Callable[[str], None], int], Server]  # of the console's log, who hears it, and the boot
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
    return Site(lambda log, echo, boot: Here(), 1, {}, TIME, "the running kernel")


def guests(plan: Plan, image: kernel.Image, accel: qemu.Accelerator, echo: Callable[[str], None]) -> Site:
    """Guests that boot this image. Counted ones don't disturb each other, so two run at once where two fit.

    Raises BadInput for a kernel that can't be booted, and for memory or CPUs that can't be.
    """
    _check_config(image)
    if accel.counted and plan.cpus > 1:
        raise BadInput(
            f"--cpus {plan.cpus} and counting instructions exclude each other: QEMU counts while it runs one CPU after "
            "the other",
            "leave out --cpus, or give --accel tcg or kvm",
        )
    memory = _memory(plan)
    remarks = _remarks(plan, image, accel, memory)
    if accel.counted and plan.points:
        try:
            accel = accel._replace(plugin=counting.Plugin(counting.compiled(), symbols.find(image.path, echo)))
        except Unsupported as error:
            why = f"Instructions are counted by the guest's clock, interrupts included: {error}"
            remarks += (f"{why}; {error.hint}." if error.hint else f"{why}.",)
    more = [word for one in plan.qemu_args for word in _words(one)]

    def start(log: Path, echo: Callable[[str], None], boot: int = 0) -> Server:
        image.check_same()
        guest = qemu.boot(
            image.path,
            SERVE,
            accel,
            packages=GUEST_PACKAGES,
            memory_mib=memory >> 20,
            cpus=plan.cpus or plan.cpus_needed or os.cpu_count() or 1,
            time_limit=0,
            log=log,
            echo=echo,
            append=plan.append,
            more=more,
            seed=plan.seed + boot,  # boots differ as those of a machine do, and each of them can be repeated
        )
        for path in (image.path, *(accel.plugin or ())):  # results are mailed
            guest.command_line = guest.command_line.replace(str(path), path.name)
        return guest

    facts: Facts = {"where": accel.where, "accel_reason": accel.why, **image.facts}
    fitting = psutil.virtual_memory().available // memory
    if not fitting:
        raise BadInput(
            f"a guest for this needs {memory >> 20} MiB, more than is free",
            f"give {'less --memory' if plan.memory else 'fewer --pages'}, or leave the largest out with --filter",
        )
    # What QEMU is given by hand, such as a port or a disk, may be had by one guest only.
    alone = not accel.counted or plan.qemu_args
    at_once = 1 if alone else min(2, len(os.sched_getaffinity(0)), fitting)
    title = f"{image.title} under {accel.title}"
    return Site(start, at_once, facts, INSTRUCTIONS if accel.counted else TIME, title, remarks, accel.word)


def _check_config(image: kernel.Image) -> None:
    """Raise BadInput where the kernel's configuration says that it won't boot here."""
    lacks = kconfig.lacking(image.config, kconfig.BOOT) if image.config else []
    if lacks:
        raise BadInput(
            f"{image.title} can't be booted here: it lacks {', '.join(lacks)}",
            "./bench.py config prints what a kernel needs",
        )


def _memory(plan: Plan) -> int:
    """Return the bytes of a guest's memory. Raises BadInput for less than the points need."""
    needed = plan.bytes_needed + plan.huge_pages * HUGE_PAGE
    if not plan.memory:
        return needed + GUEST_MEMORY
    least = needed + LEAST_MEMORY
    if plan.memory << 20 < least:
        raise BadInput(
            f"--memory {plan.memory}M is too small: this needs {-(-least >> 20)} MiB",
            "give more, leave --memory out, or leave the largest out with --filter",
        )
    return plan.memory << 20


def _remarks(plan: Plan, image: kernel.Image, accel: qemu.Accelerator, memory: int) -> tuple[str, ...]:
    """What whoever asked for these guests should know."""
    said = [] if accel.works else [textwrap.shorten(accel.why, _REMARK, placeholder=" [...]") + "."]
    if memory < THP_MEMORY:
        said.append(
            f"With so little memory ({memory >> 20} MiB) the kernel itself switches transparent huge pages off; from "
            f"--memory {THP_MEMORY >> 20}M on it doesn't."
        )
    for row in kconfig.of_interfaces(plan.expected) if image.config else []:
        if lacks := kconfig.lacking(image.config, row.options):
            said.append(f"{image.title} lacks {', '.join(lacks)}, which {row.name} needs.")
    return tuple(said)


def _words(text: str) -> list[str]:
    """Return the arguments in a text, as a shell would. Raises BadInput."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise BadInput(f"--qemu-arg {text!r} can't be read: {error}", "close its quotes") from None
