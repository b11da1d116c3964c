# SPDX-License-Identifier: GPL-2.0-only
"""Signals that end us: the first of them becomes one exception in the main thread, and waits of others look for it."""

from __future__ import annotations

import _thread  # threading itself would make workers, which have no threads of Python's, larger
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

FATAL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
PATIENCE = 60.0  # seconds after which what was to end all is taken for lost, and another signal counts
_MAIN = _thread.get_ident()  # signals reach it alone, and imports come first
_first: list[tuple[signal.Signals, float]] = []
_holding: list[bool] = []  # of the main thread: an element for each later() it is in
_AGAIN_SECONDS = 0.05
_answered: list[bool] = []  # an element once what was raised in the main thread has arrived


class Interrupted(KeyboardInterrupt):
    """Somebody wants us to end. hint: what can be done with what there is, from whoever knows it."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"interrupted by {number.name}")
        self.signal = number
        self.hint = ""
        self._ours = _thread.get_ident() == _MAIN

    def __del__(self) -> None:
        """Come again where nobody got it: Python drops what destructors and callbacks of weak references raise."""
        if self._ours and _first and not _answered:
            _thread.start_new_thread(_again, (self.signal,))


def catch() -> None:
    """Answer fatal signals with Interrupted, but for those that whoever started us wants ignored, as nohup does."""
    for number in FATAL:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _came)
    sys.unraisablehook = _dropped


def answered() -> None:
    """What was raised has arrived at whoever ends all."""
    _answered.append(True)


def default() -> None:
    """Let fatal signals end this process at once: nothing is left to be ended in order, or a parent answers them."""
    _first.clear()
    for number in FATAL:
        if signal.getsignal(number) in (_came, signal.default_int_handler):
            signal.signal(number, signal.SIG_DFL)


def check() -> None:
    """Raise Interrupted where a signal came: for waits in threads, which no signal reaches."""
    if _first:
        raise Interrupted(_first[0][0])


@contextmanager
def later() -> Iterator[None]:
    """Have a signal that comes meanwhile raise at the end: what is made here is known to whoever removes it."""
    if _thread.get_ident() != _MAIN:
        yield
        return
    before = len(_first)
    _holding.append(True)
    try:
        yield
    finally:
        _holding.pop()
    if len(_first) > before and not _holding:
        check()


def _again(number: signal.Signals) -> None:
    """Send the main thread a signal once more, when it has left what drops exceptions, as far as that can be known."""
    time.sleep(_AGAIN_SECONDS)
    if not _answered and _first:
        _first.clear()
        signal.pthread_kill(_MAIN, number)


def _dropped(what: sys.UnraisableHookArgs) -> None:
    """Print what Python drops, as it does, but for an Interrupted: that comes again."""
    if not isinstance(what.exc_value, Interrupted):
        sys.__unraisablehook__(what)


def _came(number: int, _: FrameType | None) -> None:
    now = time.monotonic()
    if _first and now - _first[0][1] < PATIENCE:
        return  # all is being ended
    _first[:] = [(signal.Signals(number), now)]
    if not _holding:
        check()
