# SPDX-License-Identifier: GPL-2.0-only
"""A running guest: its QEMU process, its console, its command's output, and what became of it."""

import os
import re
import selectors
import shlex
import shutil
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.errors import GuestFailed
from bench.vm import init
from bench.vm.counting import Counts

_TAIL_LINES = 15
_LEAVE_SECONDS = 5.0  # from the end record to the end of QEMU
_SEND_SECONDS = 60.0  # for QEMU to take a line
_BATCH_SECONDS = 0.005  # QEMU hands over single bytes: let some gather, or reading them takes the guest's CPU time
# printk.time=1 tells the kernel's own words from those of a program
_CRASH = re.compile(r"\[ *\d+\.\d+\].*(Kernel panic|BUG: |Oops: )")


class Guest:
    """A command in a guest: send() lines to it, take its lines with line(), or iterate over all of them.

    Every wait has a limit, whatever the console says meanwhile. Raises GuestFailed where one is over, and at the end
    unless the command ended with status 0. `command_line` is QEMU's; `counts`: what its plugin counts, if it has one.
    Use as a context manager, or call close(): QEMU never outlives this object or this process.
    """

    def __init__(
        self,
        command: list[str],
        results: socket.socket,
        *,
        limits: tuple[float, float],
        log: Path,
        echo: Callable[[str], None],
    ) -> None:
        self.log = log
        self.counts: Counts | None = None
        self.command_line = shlex.join(command)
        self.release = ""  # uname -r of the guest, once it has said hello
        self._hello_limit, self._seconds = limits
        self._doing = "its command"
        self._echo = echo
        self._status: int | None = None
        self._end_said = 0.0  # when
        self._ended = False
        self._heard: deque[str] = deque()
        self._crash: list[str] = []
        self._console_rest = b""
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._records = init.Records()
        self._results = results
        results.settimeout(_SEND_SECONDS)
        self._log = log.open("a")
        self._log.write(f"{self.command_line}\n")
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
        while not self.release and self._selector.get_map():
            self._hear()
        try:
            self._results.sendall(line.encode() + b"\n")
        except OSError as error:
            if not self.release:  # it never came: what became of it says more
                self._check_end()
            raise self._failure(f"the guest is gone: {error.strerror}") from None

    def line(self, seconds: float, doing: str = "its command") -> str | None:
        """Return the command's next line, None at its good end. doing: what it is busy with, for the error."""
        self._asked, self._seconds, self._doing = time.monotonic(), seconds, doing
        while not self._heard and self._selector.get_map() and not self._ended:
            self._hear()
        if self._heard:
            return self._heard.popleft()
        self._check_end()
        return None

    def kill(self) -> None:
        """End QEMU: who waits for the guest finds out. From any thread."""
        self._process.kill()

    def close(self) -> None:
        """Kill QEMU if it still runs, and let go of everything."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # it sleeps in the kernel: nobody can end it
            self._process.wait(_LEAVE_SECONDS)
        self._selector.close()
        self._results.close()
        self._log.close()
        if self.counts:
            self.counts.close()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _hear(self) -> None:
        """Take what comes next from console and port, once something does."""
        ready = self._selector.select(self._time_left())
        if not ready and self._status is not None:
            self._ended = True  # all is said; that QEMU stays is no loss
            return
        time.sleep(_BATCH_SECONDS)
        for key, _ in ready:
            try:
                data = os.read(key.fd, 1 << 20)
            except ConnectionResetError:  # QEMU is gone, and had not read all that was sent
                data = b""
            if data:
                key.data(data)
            else:
                self._selector.unregister(key.fileobj)

    def _time_left(self) -> float:
        """Return the seconds until the first limit; raise GuestFailed where one is over."""
        now = time.monotonic()
        if self._status is not None:
            return max(0.0, self._end_said + _LEAVE_SECONDS - now)
        if self.release:
            end, what = self._asked + self._seconds, f"was not done with {self._doing} within {self._seconds:.0f} s"
        else:
            end, what = self._start + self._hello_limit, f"did not start within {self._hello_limit:.0f} s"
        if end <= now:
            raise self._failure(f"the guest {what}, so it was stopped")
        return end - now

    def _take_results(self, data: bytes) -> None:
        try:
            for payload in self._records.feed(data):
                kind, text = payload[:1], payload[1:].decode("utf-8", "surrogateescape")
                if kind == init.LINE:
                    self._heard.append(text)
                elif kind == init.HELLO:
                    self.release = text
                elif kind == init.END:
                    self._status, self._end_said = int(text), time.monotonic()
        except ValueError as error:
            # With a single port the kernel may take the second for its console.
            known = "" if self.release else "; CONFIG_SERIAL_8250_RUNTIME_UARTS must be 2 or more in the guest"
            raise self._failure(f"the guest's results came back damaged: {error}{known}") from error

    def _take_console(self, data: bytes) -> None:
        *lines, self._console_rest = (self._console_rest + data).split(b"\n")
        for line in lines:
            self._print(line)

    def _print(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r")
        self._log.write(f"{text}\n")
        self._log.flush()
        self._tail.append(text)
        if (self._crash or _CRASH.match(text)) and len(self._crash) < _TAIL_LINES:
            self._crash.append(text)
        if self.release and self._status is None:  # what the kernel says before and after is in the log
            self._echo(text)

    def _check_end(self) -> None:
        if self._console_rest:
            self._print(self._console_rest)
        if self._status == 0:
            return
        if self._status is not None:
            raise self._failure(f"the command ended with status {self._status} in the guest")
        if self._crash:
            raise self._failure(f"the guest's kernel crashed: {self._crash[0]}")
        try:
            qemu = self._process.wait(_LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            raise self._failure("the guest closed its ports and stayed, so it was stopped") from None
        if qemu:
            last = f": {self._tail[-1]}" if self._tail else ""
            raise self._failure(f"QEMU ended with status {qemu}{last}")
        raise self._failure("the guest ended before its command did")

    def _failure(self, what: str) -> GuestFailed:
        # A crash's first lines say more than the registers and the stack it ends with.
        lines = "".join(f"\n  {line}" for line in self._crash or self._tail) or " none"
        return GuestFailed(what, f"the log is {self.log}; the guest's last lines:{lines}")


def _spawn(command: list[str]) -> "subprocess.Popen[bytes]":
    # A session of its own, so that Ctrl-C reaches us alone and we end the guest in order; where we are killed, the
    # kernel kills QEMU (setpriv, PR_SET_PDEATHSIG).
    guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    inherited = [int(number) for number in re.findall(r"(?:fd=|/dev/fd/)(\d+)", " ".join(command))]
    return subprocess.Popen(
        [*guard, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=inherited,
        start_new_session=True,
        bufsize=0,
    )
