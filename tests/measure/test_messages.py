# SPDX-License-Identifier: GPL-2.0-only
"""The running kernel's log since a run began: what it complains of, and why it can't be read."""

import os

import pytest

from bench.measure import messages
from bench.measure.messages import KernelLog
from bench.plan.records import Messages


def test_a_log_that_can_not_be_read_says_why(tmp_path):
    with KernelLog(str(tmp_path / "absent")) as log:
        assert log.messages(3) == Messages(3, {}, [], f"{tmp_path / 'absent'}: No such file or directory")


@pytest.fixture
def kmsg(monkeypatch, tmp_path):
    """A log whose records a test adds; an exception among them is what reading them fails with."""
    waiting = []

    def read(file, size):
        if not waiting:
            raise BlockingIOError
        said = waiting.pop(0)
        if isinstance(said, Exception):
            raise said
        return said.encode()

    (tmp_path / "kmsg").write_text("")
    with KernelLog(str(tmp_path / "kmsg")) as log:
        monkeypatch.setattr(messages.os, "read", read)
        yield log, waiting
        monkeypatch.undo()


def test_the_kernels_own_lines_count_and_no_programs(kmsg):
    log, waiting = kmsg
    waiting += [
        "6,339,5140900,-;NET: Registered PF_INET6 protocol family\n SUBSYSTEM=x\n",
        "4,340,98765432109,-;WARNING: CPU: 0 PID: 7 at mm/memory.c:1\n",
        "4,341,5140902,-,caller=T7;BUG: Bad page state in process\n",
        "12,342,5140903,-;WARNING: by a program\n",
        "no record",
    ]
    warning, bug = (
        "[98765.432109] WARNING: CPU: 0 PID: 7 at mm/memory.c:1",
        "[    5.140902] BUG: Bad page state in process",
    )
    assert log.messages(0) == Messages(0, {"WARNING": 1, "BUG": 1}, [warning, bug], lines=3)


def test_lines_that_were_overwritten_are_said_and_the_rest_is_read(kmsg):
    log, waiting = kmsg
    waiting += [BrokenPipeError(), "4,340,1,-;WARNING: x\n"]
    found = log.messages(0)
    assert found.counts == {"WARNING": 1}
    assert "overwritten" in found.unreadable


def test_a_log_that_fails_midway_says_why(kmsg):
    log, waiting = kmsg
    waiting += ["4,340,1,-;WARNING: x\n", OSError(5, "Input/output error")]
    why = "/dev/kmsg: Input/output error"
    assert log.messages(0) == Messages(0, {"WARNING": 1}, ["[    0.000001] WARNING: x"], why, 1)


def test_the_real_log_holds_only_what_came_since():
    with KernelLog() as log:
        if log.messages(0).unreadable:
            pytest.skip(f"the kernel log is not readable here: {log.messages(0).unreadable}")
        if os.access(messages.KMSG, os.W_OK):
            with open(messages.KMSG, "w") as kernel:
                kernel.write("WARNING: a program says so\n")
        assert log.messages(0) == Messages(0, {}, [])
