# SPDX-License-Identifier: GPL-2.0-only
"""A running guest: its QEMU process, its console, its command's output, and what became of it."""

import os
import re
import selectors
import shlex
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bench import processes
from bench.doing import doing
from bench.errors import Crashed, GuestFailed, Hung
from bench.plan.arches import ARCHES, USUAL, Arch
from bench.vm import init
from bench.vm.console import Console
from bench.vm.counting import Counts

_LEAVE_SECONDS = 5.0  # from the end record to the end of QEMU
_SEND_SECONDS = 60.0  # for QEMU to take a line: a serial port that is emulated takes a plan of 1 MiB in 10 s
_LOOK_SECONDS = 0.05  # between two tries to send: the guest may have to be heard before it hears
_GONE_SECONDS = 1.0  # of silence, before it is looked whether QEMU is gone: another process may hold its pipes
_HELD_BYTES = 1 << 25  # of lines that came and were not asked for yet
_BATCH_SECONDS = 0.005  # QEMU hands over single bytes: let some gather, or reading them takes the guest's CPU time
_RELEASE = re.compile(r"[!-~]{1,64}")  # uname -r: what the kernel has room for
_STATUS = re.compile(r"-?[0-9]{1,3}")


class Guest:
    """A command in a guest: send() lines to it, take its lines with line(), or iterate over all of them.

    Every wait has a limit, whatever the console says meanwhile. Raises GuestFailed where one is over, and at the end
    unless the command ended with status 0. `command_line` is QEMU's; `counts`: what its plugin counts, if it has one;
    `lines`: how many its kernel said while the command ran, each of which disturbs it. Use as a context
    manager, or call close(): QEMU never outlives this object or this process.
    """

    def __init__(
        self,
        command: list[str],
        results: socket.socket,
        *,
        limits: tuple[float, float],
        log: Path | None,
        echo: Callable[[str], None],
        arch: Arch = ARCHES[USUAL],
    ) -> None:
        self.log = log
        self.counts: Counts | None = None
        self.command_line = shlex.join(command)
        self.release = ""  # uname -r of the guest, once it has said hello
        self.lines = 0
        self._hello_limit, self._seconds = limits
        self._doing = "its command"
        self._status: int | None = None
        self._leaves = 0.0  # when it has to be gone, where it said so or can say nothing any more
        self._ended = False
        self._heard: deque[str] = deque()
        self._held = 0  # bytes of them
        self._records = init.Records()
        self._results = results
        results.setblocking(False)
        self._config = f"./bench.py config{arch.option} prints what a kernel needs"
        self._console = Console(log, self.command_line, echo, arch)
        self._start = self._asked = time.monotonic()
        self._process = _spawn(command)
        self.pid = self._process.pid
        self._selector = selectors.DefaultSelector()
        assert self._process.stdout is not None  # a pipe was asked for
        self._selector.register(self._process.stdout, selectors.EVENT_READ, self._take_console)
        self._selector.register(results, selectors.EVENT_READ, self._take_results)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[str]:
        try:
            while (line := self.line(self._seconds)) is not None:
                yield line
        finally:
            self.close()

    def send(self, line: str) -> None:
        """Send a line to the command, once the guest can hear it. Raises GuestFailed where the guest is gone."""
        while not self.release and self._open():
            self._hear()
        self._ask(_SEND_SECONDS, "taking its next job")
        data = line.encode() + b"\n"
        try:
            while data:
                try:
                    data = data[self._results.send(data) :]
                except BlockingIOError:
                    if not self._open():
                        raise BrokenPipeError from None
                    self._hear(_LOOK_SECONDS)
        except OSError:
            while self._open():
                self._hear()
            self._check_end()
            raise self._failure("the measuring process ended before its work did") from None

    def line(self, seconds: float, doing: str = "its command") -> str | None:
        """Return the command's next line, None at its good end. doing: what it is busy with, for the error."""
        self._ask(seconds, doing)
        while not self._heard and self._open():
            self._hear()
        if self._heard:
            self._held -= len(self._heard[0])
            return self._heard.popleft()
        self._check_end()
        return None

    def kill(self) -> None:
        """End QEMU: who waits for the guest finds out. From any thread."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill QEMU if it still runs, with all that it started, and let go of everything."""
        processes.end(self._process)
        self._selector.close()
        self._results.close()
        self._console.close()
        if self.counts:
            self.counts.close()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _open(self) -> bool:
        """Whether more may come."""
        return bool(self._selector.get_map()) and not self._ended

    def _ask(self, seconds: float, doing: str) -> None:
        """From now on the command is busy with something, for so long at most."""
        self._asked, self._seconds, self._doing = time.monotonic(), seconds, doing
        self._console.asked()

    def _hear(self, most: float = float("inf")) -> None:
        """Take what comes next from console and port, once something does; wait for it for so long at most.

        Where the time is over, what is there is taken all the same: we may have been stopped meanwhile, not the guest.
        """
        left, known = self._time_left(), (len(self._heard), self.release, self._leaves)
        if self._leaves and left <= 0:
            self._ended = True  # all is said; that QEMU stays, or goes on to talk, is no loss
            return
        ready = self._selector.select(max(0.0, min(left, most, _GONE_SECONDS)))
        if ready:
            time.sleep(_BATCH_SECONDS)
        else:
            self._ended = self._process.poll() is not None
        for key, _ in ready:
            try:
                data = os.read(key.fd, 1 << 20)
            except ConnectionResetError:  # QEMU is gone, and had not read all that was sent
                data = b""
            if data:
                key.data(data)
            else:
                self._selector.unregister(key.fileobj)
                if key.fileobj is self._results and not self._leaves:  # no answer can come
                    self._leaves = time.monotonic() + _LEAVE_SECONDS
        if left <= 0 and not self._ended and known == (len(self._heard), self.release, self._leaves):
            raise self._late()

    def _time_left(self) -> float:
        """Return the seconds until the limit of what is awaited, negative where it is over."""
        begun = self._asked + self._seconds if self.release else self._start + self._hello_limit
        return (self._leaves or begun) - time.monotonic()

    def _late(self) -> GuestFailed:
        """What did not come in time, and what was going on meanwhile."""
        what = f"did not start within {self._hello_limit:.0f} s"
        if self.release:
            what = f"was not done with {self._doing} within {self._seconds:.0f} s"
        qemu = doing(self.pid)
        stuck = f" (QEMU: {qemu})" if "stopped" in qemu or "sleeps in the kernel" in qemu else ""
        found = f": {self._console.stall()}" if self._console.stall() else ""
        return self._failure(f"the guest {what}, so it was stopped{stuck}{found}", Hung)

    def _take_console(self, data: bytes) -> None:
        self._console.take(data)
        self.lines = self._console.lines

    def _take_results(self, data: bytes) -> None:
        try:
            for payload in self._records.feed(data):
                self._take(payload[:1], payload[1:].decode("utf-8", "surrogateescape"))
        except ValueError as error:
            raise self._failure(f"the guest's results came back damaged: {error}") from error

    def _take(self, kind: bytes, text: str) -> None:
        """Take a record. Raises ValueError for one that can't be."""
        if self._status is not None:
            raise ValueError("a record after the end")
        if kind == init.LINE:
            self._heard.append(text)
            self._held += len(text)
            if self._held > _HELD_BYTES:
                raise ValueError(f"more than {_HELD_BYTES} bytes that were not asked for")
            self._console.answered()
        elif kind == init.HELLO:
            if self.release or not _RELEASE.fullmatch(text):
                raise ValueError(f"a hello that {'came before' if self.release else 'names no release'}: {text[:60]!r}")
            self.release, self._asked, self._console.running = text, time.monotonic(), True
        elif kind == init.END:
            if not _STATUS.fullmatch(text):
                raise ValueError(f"an end with the status {text[:60]!r}")
            self._status, self._console.running = int(text), False
            self._leaves = time.monotonic() + _LEAVE_SECONDS
        else:
            raise ValueError(f"a record of an unknown kind: {(kind.decode('ascii', 'replace') + text)[:60]!r}")

    def _check_end(self) -> None:
        self._console.end()
        if self._status == 0:
            return
        if self._status is not None:
            raise self._failure(f"the command ended with status {self._status} in the guest")
        if crash := self._console.crash():
            said = self._failure(f"the guest's kernel crashed: {crash}")
            raise Crashed(str(said), said.hint, crash)
        qemu = processes.waited(self._process, _LEAVE_SECONDS)
        if qemu is None:
            raise self._failure("the guest closed its ports and stayed, so it was stopped", Hung)
        if qemu:
            last = f": {self._console.last()}" if self._console.last() else ""
            raise self._failure(f"QEMU ended with status {qemu}{last}")
        raise self._failure("the guest ended before its command did")

    def _failure(self, what: str, kind: type[GuestFailed] = GuestFailed) -> GuestFailed:
        """The error, with what the console said that may explain it: the likeliest cause where there was no hello."""
        told = self._console.told_since() if self.release and kind is Hung else self._console.told()
        hint = f"the log is {self.log}; {told}" if self.log else told
        if not self.release and (cause := self._console.cause(bytes(self._records.noise))):
            what += f"; most likely {cause}"
            hint = f"{self._config}; {hint}" if "CONFIG_" in cause else hint
        return kind(what, hint)


def _spawn(command: list[str]) -> processes.Process:
    inherited = [int(number) for number in re.findall(r"(?:fd=|/dev/fd/)(\d+)", " ".join(command))]
    return processes.start(command, stdout=processes.PIPE, stderr=processes.STDOUT, pass_fds=inherited, bufsize=0)
