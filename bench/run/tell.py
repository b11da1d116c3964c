# SPDX-License-Identifier: GPL-2.0-only
"""What a person, or a machine, is told on standard error while something runs: notes, progress and errors.

All of it goes through here, so that it is text or JSON lines, much or little, and so that a standard error that is
closed, full or gone ends nothing. Standard output belongs to results.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from contextlib import suppress
from typing import IO, Any, NamedTuple, cast

from bench import place
from bench.harmless import harmless

AUTO, JSON, NONE = "auto", "json", "none"  # of --progress


class Style(NamedTuple):
    """How things are told. quiet: errors only; verbose: every job."""

    progress: str = AUTO
    quiet: bool = False
    verbose: bool = False

    @property
    def machine(self) -> bool:
        """Whether a machine reads it: JSON lines, and nothing else."""
        return self.progress == JSON


_chosen = [Style()]  # of this process: one command, one style


def choose(style: Style) -> None:
    """Tell everything in this style from now on."""
    _chosen[0] = style


def style() -> Style:
    """Return how things are told."""
    return _chosen[0]


class Sink:
    """Standard error, as it is now, as a file that takes everything, and drops what can't be written.

    As it is now: while a bar is shown, others who write to standard error write above it, through this.
    """

    encoding = "utf-8"

    def __init__(self) -> None:
        self._stream = sys.stderr

    def write(self, text: str) -> int:
        """Write it, if that can be."""
        if self._stream is not None:
            with suppress(OSError, ValueError):  # full, a terminal that is gone; closed
                self._stream.write(text)
                self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Nothing waits in here."""

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        try:
            return self._stream is not None and self._stream.isatty()
        except ValueError:
            return False

    def fileno(self) -> int:
        """Its descriptor. Raises OSError."""
        if self._stream is None:
            raise OSError("standard error is closed")
        return self._stream.fileno()


def sink() -> IO[str]:
    """Return standard error, as what writes to files takes it."""
    return cast("IO[str]", Sink())


def note(text: str) -> None:
    """Say something to the person, made harmless line by line."""
    if style().machine:
        event("note", text=text)
    elif not style().quiet:
        _line(text)


class _Logged(logging.Handler):
    """What libraries log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it."""
        _warned(record.getMessage())


def libraries() -> None:
    """Tell what libraries warn of from now on, in one line each."""
    warnings.showwarning = lambda message, *_: _warned(str(message))
    logging.lastResort = _Logged(logging.WARNING)


def _warned(text: str) -> None:
    note(f"warning: {harmless(text)}")


def event(kind: str, **facts: Any) -> None:
    """Tell a machine what happened, as one JSON object on a line; people are not told."""
    if style().machine:
        Sink().write(json.dumps({"event": kind, **{key: _plain(value) for key, value in facts.items()}}) + "\n")


def failed(message: str, hint: str, status: int) -> None:
    """Tell an error, its hint, and the exit status that is to come: the one way there is."""
    if style().machine:
        event("error", text=message, hint=hint, status=status)
        return
    _line(f"error: {message}")
    if hint:
        _line(f"hint: {hint}")


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return "\n".join(map(harmless, place.typed(value).split("\n")))
    return round(value, 3) if isinstance(value, float) else value


def _line(text: str) -> None:
    Sink().write(f"{_plain(text)}\n")
