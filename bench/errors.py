# SPDX-License-Identifier: GPL-2.0-only
"""One error type per cause; `bench.py` prints them once, as `error:` and `hint:`."""

from __future__ import annotations


class BenchError(Exception):
    """What went wrong, what to do about it, and the exit status that says so."""

    status = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class BadInput(BenchError):
    """A name, number, file or option that can't be used."""


class PermissionDenied(BenchError):
    """The kernel or the file system refused; the hint says which right is missing."""


class Unsupported(BenchError):
    """The running kernel or machine lacks what was asked for; nothing could be measured."""

    status = 3


class ProgramFailed(Unsupported):
    """Another program that is needed is missing, can't be started, or comes to no end."""


class GuestFailed(BenchError):
    """The virtual machine did not deliver; the hint names its log."""

    status = 3


class Crashed(GuestFailed):
    """The virtual machine's kernel crashed; `first`: the first line that it said of it."""

    def __init__(self, message: str, hint: str = "", first: str = "") -> None:
        super().__init__(message, hint)
        self.first = first or message


class Hung(GuestFailed):
    """The virtual machine was not done in time."""


class WorkerFailed(BenchError):
    """A worker process died or its interface failed in the middle of a measurement."""

    status = 3


class BuildFailed(BenchError):
    """A kernel that was to be measured does not build."""

    status = 3


class NoVerdict(BadInput):
    """What was given can't answer the question: too little was measured, or different things."""

    status = 3


class WrongAnswer(BenchError):
    """An interface did not report exactly the pages that were written."""

    status = 1


class LimitExceeded(BenchError):
    """A comparison found what the user had said must not be."""

    status = 1


class Skipped(BenchError):
    """All that was to be tested was not possible; the status is kselftest's, KSFT_SKIP."""

    status = 4
