# SPDX-License-Identifier: GPL-2.0-only
"""Runs what a kernel may hang or kill in a child process: probes, plays, workers, and every round of a worker."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from bench import signals
from bench.doing import doing
from bench.errors import BenchError
from bench.measure.core import die_with_parent

Say = Callable[[Any], None]


class Late(str):
    """The trouble of a child that came to no end."""

    __slots__ = ()


_LEAVE_SECONDS = 5.0  # that a killed child may take to be gone: one that sleeps in the kernel for ever never is
_PAGE = 4096
_OURS = 70  # exit status of a child that ended by a mistake of ours
_said_to: list[int] = []  # where this process, itself a child, says things: its children must not keep that open


class Lines:
    """The lines of a descriptor, out of one room: in how many pieces they come must not shape this process's heap.

    Its children are copies of it, of which clear_refs walks every page.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._room, self._filled = descriptor, bytearray(1 << 16), 0

    def more(self) -> list[bytes] | None:
        """Wait for more to come, and return the lines that are whole now; None at the end."""
        if self._filled == len(self._room):
            self._room.extend(bytes(len(self._room)))
        with memoryview(self._room) as room, room[self._filled :] as free:
            came = os.readv(self._descriptor, [free])
        if not came:
            return None
        self._filled += came
        end = self._room.rfind(b"\n", 0, self._filled) + 1
        whole = bytes(self._room[:end])
        self._room[: self._filled - end] = self._room[end : self._filled]
        self._filled -= end
        return whole.split(b"\n")[:-1]

    def __iter__(self) -> Iterator[bytes]:
        while (came := self.more()) is not None:
            yield from came


def run(task: Callable[[Say], None], seconds: float, name: str = "") -> tuple[list[Any], str]:
    """Run task(say) in a forked child; return what it said, and how else than well it ended: "" for well, or Late.

    seconds: how long it may go without saying anything. Whatever it says must be JSON. name: its own, which a kernel
    says where it crashes or hangs in it (Comm:).
    """
    read, write = os.pipe()
    sys.stdout.flush()
    parent = os.getpid()
    child = os.fork()
    if not child:
        os.close(read)
        _live(task, write, parent, name)
    os.close(write)
    try:
        said, late = _heard(read, seconds)
    finally:
        os.close(read)
    return said, _end(child, seconds, late=late)


def _live(task: Callable[[Say], None], write: int, parent: int, name: str) -> None:
    """The child's life. It never returns, and runs none of the parent's exit handlers."""
    status = _OURS
    try:
        signals.default()  # the parent answers them, and ends us
        for inherited in _said_to:  # whose reader waits for our parent's end, and we may sleep in the kernel for ever
            os.close(inherited)
        _said_to[:] = [write]
        die_with_parent(parent)
        if name:
            _call_myself(name)
        os.dup2(2, 1)  # whoever reads the parent's output waits for its end, not for that of a child that never ends
        task(lambda value: _send(write, _line(value)))
        status = 0
    except BrokenPipeError:
        pass  # who asked is gone, and this process will be too
    except BenchError as error:
        print(f"{error}; {error.hint}" if error.hint else error, file=sys.stderr, flush=True)
    except BaseException:
        sys.excepthook(*sys.exc_info())  # a mistake of ours, worth its traceback
    finally:
        os._exit(status)


def _call_myself(name: str) -> None:
    """Take a name: the kernel keeps 15 bytes of it. Where /proc may not be written, it stays what it was."""
    try:
        comm = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(comm, name.encode())
    except OSError:
        pass
    finally:
        os.close(comm)


def _line(value: Any) -> bytes:
    """Return the value as a line of whole pages: how many digits a time has must not shape the reader's heap."""
    data = json.dumps(value).encode()
    return data.ljust(-(-(len(data) + 1) // _PAGE) * _PAGE - 1) + b"\n"


def _send(write: int, data: bytes) -> None:
    while data:
        data = data[os.write(write, data) :]


def _heard(read: int, seconds: float) -> tuple[list[Any], bool]:
    """Return all values that came, and whether they stopped coming without an end."""
    said: list[Any] = []
    lines = Lines(read)
    poll = select.poll()
    poll.register(read, select.POLLIN)
    end = time.monotonic() + seconds
    while True:
        if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
            return said, True
        came = lines.more()
        if came is None:
            return said, False
        said += map(json.loads, came)
        if came:
            end = time.monotonic() + seconds


def _end(child: int, seconds: float, *, late: bool) -> str:
    """Reap the child, killed if it is late; say how it ended where that was not well."""
    was = doing(child) if late else ""
    if late:
        os.kill(child, signal.SIGKILL)
    status = _reaped(child)
    if status is None:  # it closed its pipe, and did not leave; or sleeps in the kernel, where no signal reaches it
        was, late = was or doing(child), True
        os.kill(child, signal.SIGKILL)
        if _reaped(child) is None:
            why = doing(child) or "nobody knows why"
            return Late(f"it did not end within {seconds:g} s and can't be killed: {why}")
    if late or status is None:
        return Late(f"it did not end within {seconds:g} s" + (f": {was}" if was else ""))
    how = os.waitstatus_to_exitcode(status)
    if how < 0:
        return f"it was killed by {signal.Signals(-how).name}"
    return f"it ended with status {how}" if how else ""


def _reaped(child: int) -> int | None:
    """Return the child's wait status; None if it has not left after a while."""
    handle = os.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        left = poll.poll(_LEAVE_SECONDS * 1000)
        return os.waitpid(child, 0)[1] if left else None
    finally:
        os.close(handle)
