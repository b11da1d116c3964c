# SPDX-License-Identifier: GPL-2.0-only
"""The core's word on processes and threads: who dies with whom, and how a thread that can't be started fails."""

import errno
import os
import select
import signal
from array import array

import pytest

from bench.measure.core import Mapping, Pattern, Writers, ffi, lib


def forked(play):
    """Play in a child, with the parent's id; return its exit status."""
    parent = os.getpid()
    child = os.fork()
    if not child:
        status = 99
        try:
            status = play(parent)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_parent_that_is_not_the_expected_one_is_gone():
    def play(parent):
        wrong, call = lib.die_with_parent(parent + 1), ffi.string(lib.failed_call())
        return 0 if (wrong, call) == (-errno.ESRCH, b"getppid") and not lib.die_with_parent(parent) else 1

    assert forked(play) == 0


def test_a_process_ends_with_its_parent():
    read, write = os.pipe()  # closed where nobody is left who holds its other end

    def play(_):
        parent = os.getpid()
        if not os.fork():
            os.write(write, b"x" if lib.die_with_parent(parent) == 0 else b"-")
            signal.pause()
        return 0 if os.read(read, 1) == b"x" else 1

    assert forked(play) == 0
    os.close(write)
    assert select.select([read], [], [], 10)[0]
    assert os.read(read, 1) == b""
    os.close(read)


def test_a_writer_on_a_cpu_that_is_not_there_is_refused_and_the_others_end():
    here = len(os.listdir("/proc/self/task"))
    pattern = Pattern(array("I", [0, 1]), 2)
    with Mapping(2) as mapping, pytest.raises(OSError, match="Invalid") as refused:
        Writers(mapping, pattern, 2, shared=False, cpus=[min(os.sched_getaffinity(0)), 1023])
    assert (refused.value.errno, refused.value.filename) == (errno.EINVAL, "pthread_create")
    assert len(os.listdir("/proc/self/task")) == here
