# SPDX-License-Identifier: GPL-2.0-only
"""Runs what a kernel may hang or kill in a child process: probes, plays, workers, and every round of a worker."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.measure.core import die_with_parent

Say = Callable[[Any], None]

_LEAVE_SECONDS = 5.0  # that a killed child may take to be gone: one that sleeps in the kernel for ever never is
_OURS = 70  # exit status of a child that ended by a mistake of ours


def run(task: Callable[[Say], None], seconds: float) -> tuple[list[Any], str]:
    """Run task(say) in a forked child; return what it said, and how else than well it ended ("" for well).

    seconds: how long it may go without saying anything. Whatever it says must be JSON.
    """
    read, write = os.pipe()
    sys.stdout.flush()
    parent = os.getpid()
    child = os.fork()
    if not child:
        os.close(read)
        _live(task, write, parent)
    os.close(write)
    try:
        said, late = _heard(read, seconds)
    finally:
        os.close(read)
    return said, _end(child, seconds, late=late)


def _live(task: Callable[[Say], None], write: int, parent: int) -> None:
    """The child's life. It never returns, and runs none of the parent's exit handlers."""
    status = _OURS
    try:
        die_with_parent(parent)
        os.dup2(2, 1)  # whoever reads the parent's output waits for its end, not for that of a child that never ends
        task(lambda value: _send(write, json.dumps(value).encode() + b"\n"))
        status = 0
    except BrokenPipeError:
        pass  # who asked is gone, and this process will be too
    except BaseException:
        sys.excepthook(*sys.exc_info())  # a mistake of ours, worth its traceback
    finally:
        os._exit(status)


def _send(write: int, data: bytes) -> None:
    while data:
        data = data[os.write(write, data) :]


def _heard(read: int, seconds: float) -> tuple[list[Any], bool]:
    """Return all values that came, and whether they stopped coming without an end."""
    said: list[Any] = []
    rest = b""
    poll = select.poll()
    poll.register(read, select.POLLIN)
    end = time.monotonic() + seconds
    while True:
        if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
            return said, True
        data = os.read(read, 1 << 16)
        if not data:
            return said, False
        *lines, rest = (rest + data).split(b"\n")
        said += [json.loads(line) for line in lines]
        if lines:
            end = time.monotonic() + seconds


def _end(child: int, seconds: float, *, late: bool) -> str:
    """Reap the child, killed if it is late; say how it ended where that was not well."""
    if late:
        os.kill(child, signal.SIGKILL)
    status = _reaped(child)
    if status is None:  # it closed its pipe, and did not leave; or sleeps in the kernel, where no signal reaches it
        os.kill(child, signal.SIGKILL)
        late = True
        if _reaped(child) is None:
            return f"it did not end within {seconds:g} s and can't be killed: it sleeps in the kernel"
    if late or status is None:
        return f"it did not end within {seconds:g} s"
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
