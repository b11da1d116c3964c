# SPDX-License-Identifier: GPL-2.0-only
"""Machines that take jobs and yield records: the running kernel, or a guest. Both run bench/measure/serve.py."""

from __future__ import annotations

import os
import selectors
import shlex
import sys
import textwrap
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import psutil

from bench import place, processes
from bench.doing import doing
from bench.errors import BadInput, Unsupported, WorkerFailed
from bench.harmless import harmless
from bench.plan import arches, kconfig, records
from bench.plan.plan import Plan
from bench.plan.records import INSTRUCTIONS, TIME, Facts
from bench.run.tell import note
from bench.vm import counting, init, kernel, qemu, symbols

SERVE = ["-m", "bench.measure.serve"]
_NAMED = "watchdog_thresh=5"  # a soft lockup after 10 s: a kernel names what hangs before a play is given up
GUEST_PACKAGES = ["cffi", "pyperf", "psutil"]
# Bytes, for the guest's kernel, Python and initramfs: usually, and at least. With less than 512 MiB of free memory at
# its start a kernel switches THP off by itself, whatever its command line says (hugepage_init() in mm/huge_memory.c).
GUEST_MEMORY = 704 << 20
LEAST_MEMORY = 256 << 20
THP_MEMORY = 640 << 20
_LEAVE_SECONDS = 10.0
_SEND_SECONDS = 30.0  # for the server to take a line: it reads whenever it waits
_LOOK_SECONDS = 0.05  # between two tries to send, and two looks whether it has ended
_COMPLAINT, _COMPLAINTS = 1 << 14, 200  # bytes of a line on its standard error, lines of that which are shown
_REMARK = 150  # characters


class Server(Protocol):
    """The server of workers at work somewhere. Every wait has a limit in seconds; `doing` is said in its error.

    command_line: QEMU's, empty where there is none. counts: what a plugin of QEMU counts, None where there is none.
    lines: how many the kernel said on a console since the server began, 0 where there is none.
    """

    command_line: str
    counts: counting.Counts | None
    lines: int

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
    """The running kernel: the server is a child of this process, and dies with it. echo: who hears its complaints.

    It gets none of our descriptors: a worker that sleeps in the kernel for ever would keep them open, and whoever reads
    what we say would wait for that.
    """

    command_line = ""
    counts: counting.Counts | None = None
    lines = 0

    def __init__(self, echo: Callable[[str], None] = note) -> None:
        command = [sys.executable, *SERVE, str(os.getpid())]
        pipe = processes.PIPE
        self._process = processes.start(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=place.ROOT, bufsize=0)
        self._echo, self._last, self._complaints = echo, "", 0
        self._heard: deque[bytes] = deque()
        self._lines, self._said = init.Lines(records.LONGEST), init.Lines(_COMPLAINT)
        self._selector = selectors.DefaultSelector()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._in = self._process.stdin
        os.set_blocking(self._in.fileno(), False)
        self._selector.register(self._process.stdout, selectors.EVENT_READ, self._take_lines)
        self._selector.register(self._process.stderr, selectors.EVENT_READ, self._take_complaints)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._in.close()
        self._process.kill()
        processes.waited(self._process, _LEAVE_SECONDS)
        self._selector.close()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()

    def send(self, line: str) -> None:
        """Give it a line. Raises WorkerFailed where it is gone, or does not take it."""
        data, end = line.encode() + b"\n", time.monotonic() + _SEND_SECONDS
        try:
            while data:
                try:
                    data = data[os.write(self._in.fileno(), data) :]
                except BlockingIOError:
                    self._hear(end, "taking its next job", _SEND_SECONDS, most=_LOOK_SECONDS)
        except OSError:
            raise self._gone() or WorkerFailed("the measuring process ended before its work did") from None

    def line(self, seconds: float, doing: str = "its work") -> str | None:
        """Return its next line, None at its good end. Raises WorkerFailed."""
        end = time.monotonic() + seconds
        while not self._heard:
            if self._process.stdout not in [key.fileobj for key in self._selector.get_map().values()]:
                if gone := self._gone():
                    raise gone
                return None
            self._hear(end, doing, seconds)
        return self._heard.popleft().decode("utf-8", "replace")

    def _hear(self, end: float, busy: str, seconds: float, most: float = float("inf")) -> None:
        """Take what it says next, until `end`, but no longer than `most`.

        Raises WorkerFailed where the end is over and nothing was there: we may have been stopped, not the server.
        """
        left, news = end - time.monotonic(), len(self._heard)
        for key, _ in self._selector.select(max(0.0, min(left, most))):
            data = os.read(key.fd, 1 << 20)
            if data:
                key.data(data)
            else:
                self._selector.unregister(key.fileobj)
                news = -1
        if left <= 0 and len(self._heard) == news:
            how = doing(self._process.pid)
            raise WorkerFailed(
                f"{busy} was not done within {seconds:.0f} s, so it was stopped" + (f" ({how})" if how else ""),
                "what is the machine busy with? dmesg and ./bench.py probe say more",
            )

    def _take_lines(self, data: bytes) -> None:
        self._heard += self._lines.feed(data)

    def _take_complaints(self, data: bytes) -> None:
        for line in self._said.feed(data):
            self._complaints += 1
            self._last = harmless(line.decode("utf-8", "replace"))
            if self._complaints <= _COMPLAINTS:
                self._echo(self._last)
            elif self._complaints == _COMPLAINTS + 1:
                self._echo(f"The measuring process says more than {_COMPLAINTS} lines: the others are not shown.")

    def _gone(self) -> WorkerFailed | None:
        """What is wrong with how the process ended; None if nothing is."""
        end = time.monotonic() + _LEAVE_SECONDS
        while (status := self._process.poll()) is None and (left := end - time.monotonic()) > 0:
            self._hear(end + 1, "shutting down", _LEAVE_SECONDS, most=min(left, _LOOK_SECONDS))
        with suppress(OSError):  # its last words; not their end: one of its children may sleep for ever
            while self._selector.get_map() and self._selector.select(0):
                self._hear(time.monotonic() + 1, "shutting down", 1)
        if rest := self._said.rest():
            self._take_complaints(rest + b"\n")
        if status is None:
            return WorkerFailed("the measuring process closed its pipes, and stayed", "it was stopped")
        if not status:
            return None
        hint = f"its last words: {self._last}" if self._last else "it said nothing; dmesg may say why it was killed"
        return WorkerFailed(f"the measuring process ended with status {status}", hint)

    def kill(self) -> None:
        """End it, whatever it is doing: who waits for it finds out. From any thread."""
        self._process.kill()


class Site(NamedTuple):
    """Where a plan is measured: how to start a machine, how many at once, and what only the host knows of it."""

    # Of the console's log, if it is kept, who hears it, and the boot
    start: Callable[[Path | None, Callable[[str], None], int], Server]
    at_once: int
    facts: Facts
    quantity: str
    title: str
    remarks: tuple[str, ...] = ()  # what whoever asked for it should know
    accel: str = ""  # of guests: the accelerator that was chosen
    unnamed: str = ""  # why instructions are counted without the names of functions; empty where they have them

    @property
    def guest(self) -> bool:
        """Whether its machines are booted."""
        return "kernel_image" in self.facts


def here() -> Site:
    """The running kernel."""
    return Site(lambda log, echo, boot: Here(echo), 1, {}, TIME, "the running kernel")


def guests(plan: Plan, image: kernel.Image, accel: qemu.Accelerator, echo: Callable[[str], None]) -> Site:
    """Guests that boot this image. Counted ones don't disturb each other, so two run at once where two fit.

    Raises BadInput for a kernel that can't be booted, and for memory or CPUs that can't be.
    """
    check_config(image)
    site = foreseen(plan, accel, image.title)
    memory = guest_memory(plan)
    remarks, why = _remarks(plan, image, accel, memory), ""
    if accel.counted and plan.points:
        try:
            found = symbols.find(image.path, echo, image.arch)
            accel = accel._replace(plugin=counting.Plugin(counting.compiled(image.arch), found))
        except Unsupported as error:
            why = f"{error}; {error.hint}" if error.hint else str(error)
            remarks += (f"Instructions are counted by the guest's clock, interrupts included: {why}.",)
    more = [word for one in plan.qemu_args for word in _words(one)]

    def start(log: Path | None, echo: Callable[[str], None], boot: int = 0) -> Server:
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
            append=" ".join(filter(None, [_NAMED * bool(plan.scenarios), plan.append])),
            more=more,
            scenarios=bool(plan.scenarios),
            seed=plan.seed + boot,  # boots differ as those of a machine do, and each of them can be repeated
        )
        for path in (image.path, *(accel.plugin or ())):  # results are mailed
            guest.command_line = guest.command_line.replace(str(path), path.name)
        return guest

    return site._replace(start=start, facts=site.facts | image.facts, remarks=remarks, unnamed=why)


def foreseen(plan: Plan, accel: qemu.Accelerator, title: str) -> Site:
    """Guests of a kernel of this title, as far as they are known before anything is looked for: they can't start.

    Raises BadInput for memory or CPUs that can't be.
    """
    if accel.counted and plan.cpus > 1:
        raise BadInput(
            f"--cpus {plan.cpus} and counting instructions exclude each other: QEMU counts while it runs one CPU after "
            "the other",
            "leave out --cpus, or give --accel tcg or kvm",
        )
    memory = guest_memory(plan)
    fitting = psutil.virtual_memory().available // memory
    if not fitting:
        raise BadInput(
            f"a guest for this needs {memory >> 20} MiB, more than is free",
            f"give {'less --memory' if plan.memory else 'fewer --pages'}, or leave the largest out with --filter",
        )
    # What QEMU is given by hand, such as a port or a disk, may be had by one guest only.
    alone = not accel.counted or plan.qemu_args
    at_once = 1 if alone else min(2, len(os.sched_getaffinity(0)), fitting)
    facts: Facts = {"where": accel.where, "accel_reason": accel.why, "kernel_image": title}
    quantity = INSTRUCTIONS if accel.counted else TIME
    return Site(_nowhere, at_once, facts, quantity, f"{title} under {accel.title}", (), accel.word)


def _nowhere(log: Path | None, echo: Callable[[str], None], boot: int) -> Server:
    raise NotImplementedError("a machine that is only foreseen")


def check_config(image: kernel.Image) -> None:
    """Raise BadInput where the kernel's configuration says that it won't boot here."""
    lacks = kconfig.lacking(image.config, kconfig.boot(image.arch)) if image.config else []
    if lacks:
        raise BadInput(
            f"{image.title} can't be booted here: it lacks {', '.join(lacks)}",
            f"./bench.py config{image.arch.option} prints what a kernel needs",
        )


def guest_memory(plan: Plan) -> int:
    """Return the bytes of a guest's memory. Raises BadInput for less than the points need."""
    needed = plan.bytes_needed + plan.huge_pages * arches.find(plan.arch).huge_page
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
