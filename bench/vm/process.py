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
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.errors import GuestFailed
from bench.vm import guest

_TAIL_LINES = 15
_SILENT_SECONDS = 600.0  # no worker measures that long without a word
_LEAVE_SECONDS = 5.0  # from the end record to the end of QEMU
_BATCH_SECONDS = 0.005  # QEMU hands over single bytes: let some gather, or reading them takes the guest's CPU time
# printk.time=1 tells the kernel's own words from those of a program
_CRASH = re.compile(r"\[ *\d+\.\d+\].*(Kernel panic|BUG: |Oops: )")


class Guest:
    """Yields the command's stdout lines as they come; raises GuestFailed unless the command ended with status 0.

    `where` is kvm, tcg or tcg-icount, `accel_reason` says why, `command_line` is QEMU's. Iterate to the end, or use
    as a context manager, or call close(): QEMU never outlives this object or this process.
    """

    def __init__(
        self,
        command: list[str],
        results: socket.socket,
        *,
        where: str,
        accel_reason: str,
        limits: tuple[float, float],
        log: Path,
        echo: Callable[[str], None],
    ) -> None:
        self.where, self.accel_reason, self.log = where, accel_reason, log
        self.command_line = shlex.join(command)
        self.release = ""  # uname -r of the guest, once it has said hello
        self._hello_limit, self._time_limit = limits
        self._echo = echo
        self._status: int | None = None
        self._crash: list[str] = []
        self._console_rest = b""
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._records = guest.Records()
        self._results = results
        self._log = log.open("a")
        self._log.write(f"{self.command_line}\n")
        self._start = self._heard = time.monotonic()
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
            yield from self._lines()
            self._check_end()
        finally:
            self.close()

    def close(self) -> None:
        """Kill QEMU if it still runs, and let go of everything."""
        self._process.kill()
        self._process.wait()
        self._selector.close()
        self._results.close()
        self._log.close()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _lines(self) -> Iterator[str]:
        while self._selector.get_map():
            ready = self._selector.select(self._time_left())
            if not ready and self._status is not None:
                return  # all is said; that QEMU stays is no loss
            time.sleep(_BATCH_SECONDS)
            for key, _ in ready:
                self._heard = time.monotonic()
                data = os.read(key.fd, 1 << 20)
                if data:
                    yield from key.data(data)
                else:
                    self._selector.unregister(key.fileobj)

    def _time_left(self) -> float:
        """Return the seconds until the first limit; raise GuestFailed where one is over."""
        if self._status is not None:
            return _LEAVE_SECONDS
        limits = [(self._heard + _SILENT_SECONDS, f"said nothing for {_SILENT_SECONDS:.0f} s")]
        if self._time_limit:
            limits.append((self._start + self._time_limit, f"was not done within {self._time_limit:.0f} s"))
        if not self.release:
            limits.append((self._start + self._hello_limit, f"did not start within {self._hello_limit:.0f} s"))
        end, what = min(limits)
        left = end - time.monotonic()
        if left <= 0:
            raise self._failure(f"the guest {what}, so it was stopped")
        return left

    def _take_results(self, data: bytes) -> Iterator[str]:
        try:
            for payload in self._records.feed(data):
                kind, text = payload[:1], payload[1:].decode("utf-8", "surrogateescape")
                if kind == guest.LINE:
                    yield text
                elif kind == guest.HELLO:
                    self.release = text
                elif kind == guest.END:
                    self._status = int(text)
        except ValueError as error:
            # With a single port the kernel may take the second for its console.
            known = "" if self.release else "; CONFIG_SERIAL_8250_RUNTIME_UARTS must be 2 or more in the guest"
            raise self._failure(f"the guest's results came back damaged: {error}{known}") from error

    def _take_console(self, data: bytes) -> Iterator[str]:
        *lines, self._console_rest = (self._console_rest + data).split(b"\n")
        for line in lines:
            self._print(line)
        return iter(())

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
        if qemu := self._process.wait(_LEAVE_SECONDS):
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
