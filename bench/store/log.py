# SPDX-License-Identifier: GPL-2.0-only
"""The log of a run, records.jsonl: a record a line, appended as it comes, each whole or dropped.

Nothing in it is ever changed. What comes later overrules: a plan with other boots, a boot that was begun again, a job
that was done after it had failed. read() returns what is left of it.
"""

from __future__ import annotations

import fcntl
import math
import os
import stat
import statistics
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench import files, reading, signals
from bench.errors import BadInput, PermissionDenied
from bench.harmless import quoted
from bench.plan import records
from bench.plan.plan import Plan
from bench.plan.records import Facts, Failed, Machine, Messages, Played, Record, Timed

FILE = "records.jsonl"
PACKED, OLDER = "records.jsonl.xz", "records.jsonl.gz"  # the same, packed: examples; as earlier versions packed it
FILES = (FILE, PACKED, OLDER)
PER_BOOT = ("memory_bytes", "clock_ns", "syscall_ns", "copy_page_ns", "disturbances")  # what the reports show of it
CHANGING = ("boots", "processes", "least_boots", "until", "command")  # fields of a plan that a later one may change
HINT = "a run writes it: ./bench.py run --name NAME"


class Log:
    """Appends records. Every append costs the same, however many there are, and is one write of a whole line.

    One process at a time has it. Raises BadInput where another has, or for a log that is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._file = _owned(folder)
        self._drop_torn_line()
        self._counting = _counted(self.path)[0]

    @property
    def records(self) -> list[Record]:
        """The records that count, as read() returns them."""
        return self._counting.records

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def append(self, record: Record) -> None:
        """Add a record. Raises PermissionDenied where it can't be written; then nothing of it stays."""
        self._counting.add(record)
        line = records.encode(record).encode() + b"\n"
        if not os.fstat(self._file).st_nlink:
            raise PermissionDenied(f"{self.path} was removed while it was written", "measure again, and let it lie")
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            with signals.later():
                written = os.write(self._file, line)
                while written < len(line):  # a file system that is nearly full
                    written += os.write(self._file, line[written:])
        except OSError as error:
            with suppress(OSError):  # a torn last line is left out by whoever reads
                os.ftruncate(self._file, end)
            self._counting = _counted(self.path)[0]  # without the record
            raise _refused(self.path, error) from None

    def _drop_torn_line(self) -> None:
        """Who was killed may have left a part of a line: what comes next must not be glued to it."""
        data = self.path.read_bytes()
        os.ftruncate(self._file, data.rfind(b"\n") + 1)


def _owned(folder: Path) -> int:
    """Open the log of a folder, have it alone, and return its descriptor."""
    path = folder / FILE
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _refused(path, error) from None
    if not stat.S_ISREG(os.fstat(file).st_mode):  # reading a pipe would wait for ever
        os.close(file)
        raise BadInput(f"{path} is no file", "remove it, or measure into another folder: --name NAME")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise BadInput(f"{folder} is being measured by another process", "wait for its end, or end it") from None
    return file


def remove(folder: Path) -> None:
    """Remove a log, whatever is in it. Raises BadInput where another process has it, PermissionDenied."""
    file = _owned(folder)
    try:
        (folder / FILE).unlink(missing_ok=True)
    except OSError as error:
        raise _refused(folder / FILE, error) from None
    finally:
        os.close(file)


def write(folder: Path, found: Iterable[Record]) -> None:
    """Write the log of a new result as a whole, and keep none of the records in memory.

    Raises PermissionDenied where it can't be written; then there is no log.
    """
    path = folder / FILE
    try:
        with files.replacing(path) as file:
            file.writelines(f"{records.encode(record)}\n".encode() for record in found)
    except OSError as error:
        raise _refused(path, error, "nothing of it stays, and what it was to be made of is as it was") from None


def _refused(path: Path, error: OSError, kept: str = "what was measured before is in it") -> PermissionDenied:
    return PermissionDenied(f"{path} can't be written: {error.strerror}", f"{kept}; is the disk full?")


def name_of(folder: Path) -> str:
    """Return the name of the result in a folder, as it may be shown: whoever packed it may have chosen any."""
    return quoted(folder.resolve().name)


def find(folder: Path) -> Path | None:
    """Return the log of a result's folder, None where it has none. Raises BadInput where one is no file."""
    for path in (folder / name for name in FILES):
        if path.is_file():
            return path
        if os.path.lexists(path):
            raise BadInput(f"{path} is no file", "remove it, or give another result")
    return None


def read(path: Path) -> tuple[list[Record], str]:
    """Return the records of a log that count, and what is to be said of a torn last line.

    The plan is the first of them, and a boot's machine comes before what was measured in it. Raises BadInput for a
    damaged log.
    """
    found, torn = _counted(path)
    return found.records, torn


def plan(path: Path) -> Plan:
    """Return the plan that a log begins with, without reading the rest. Raises BadInput where it has none."""
    try:
        first = records.decode(next(reading.lines(path, records.LONGEST), ""))
    except (*reading.DAMAGED, BadInput) as error:
        raise BadInput(f"{path}, line 1: {error}", f"it is damaged or no result; {HINT}") from None
    if not isinstance(first, Plan):
        raise BadInput(f"{path}, line 1: the plan must come first", f"it is damaged or no result; {HINT}")
    return first


def _counted(path: Path) -> tuple[_Counting, str]:
    found, number = _Counting(), 1
    try:
        for line in reading.lines(path, records.LONGEST):
            if not line.endswith("\n"):
                return found, f"The last line of {path.name} is torn, by a kill or a full disk: it is left out."
            found.add(records.decode(line))
            number += 1
    except (*reading.DAMAGED, BadInput) as error:
        hint = getattr(error, "hint", "") or f"it is damaged or no result; {HINT}"
        raise BadInput(f"{path}, line {number}: {error}", hint) from None
    return found, ""


class _Counting:
    """The records that count, of those added so far."""

    def __init__(self) -> None:
        self._added: list[Record | None] = []  # None: counts no more
        self._machines: dict[int, Machine] = {}
        # By boot, the places of what goes when that boot begins again: in any case, or unless the machine stayed up.
        # Verdicts stay. Each is looked at once: of many boots, or of one again and again, all would take for ever.
        self._going: dict[int, list[int]] = {}
        self._measured: dict[int, list[int]] = {}

    @property
    def records(self) -> list[Record]:
        """What counts."""
        return [one for one in self._added if one is not None]

    def add(self, record: Record) -> None:
        """Add one more. Raises BadInput where it can't stand there."""
        if isinstance(record, Plan):
            self._plan(record)
            return
        if not self._added:
            raise BadInput("the plan must come first")
        if isinstance(record, Machine):
            before = self._machines.get(record.boot)
            if before is None or not _boot_id(before) == _boot_id(record) != "":
                self._drop(self._measured, record.boot)  # values of two boots would pass for those of one
            self._drop(self._going, record.boot)
            self._machines[record.boot] = record
        elif record.boot not in self._machines and not isinstance(record, Failed):
            raise BadInput(f"boot {record.boot} has no machine yet")
        if not isinstance(record, Played):
            kept = self._measured if isinstance(record, Timed | Messages) else self._going
            kept.setdefault(record.boot, []).append(len(self._added))
        self._added.append(record)

    def _drop(self, places: dict[int, list[int]], boot: int) -> None:
        for place in places.pop(boot, ()):
            self._added[place] = None

    def _plan(self, plan: Plan) -> None:
        if not self._added:
            self._added.append(plan)
            return
        first = self._added[0]
        assert isinstance(first, Plan)
        if first._replace(**{key: getattr(plan, key) for key in CHANGING}) != plan:
            raise BadInput("a second plan, of something else")
        self._added[0] = plan


def _boot_id(machine: Machine) -> str:
    return str(machine.facts.get("boot_id", ""))


def failures(found: Sequence[Record]) -> tuple[list[str], list[str]]:
    """Return what came to no end, as sentences: boots, and jobs."""
    failed = [one for one in found if isinstance(one, Failed)]
    boots = [f"Boot {one.boot} came to no end: {one.why}" for one in failed if not one.job]
    return boots, [f"A job failed: {one.job}: {one.why}" for one in failed if one.job]


def answered(found: Sequence[Record]) -> tuple[dict[str, str], dict[int, Messages]]:
    """Return what probes found wrong, by interface or interface and memory; and what each boot's kernel log said."""
    findings = {
        what: text for one in reversed(found) if isinstance(one, Machine) for what, text in one.findings.items()
    }
    return findings, {one.boot: one for one in found if isinstance(one, Messages)}


def complaints(messages: Mapping[int, Messages]) -> dict[str, int]:
    """Return how many complaints of each kind the kernel's log had, over all boots."""
    counts: dict[str, int] = {}
    for one in messages.values():
        for kind, count in one.counts.items():
            counts[kind] = counts.get(kind, 0) + count
    return counts


def merged(facts: Sequence[Facts]) -> dict[str, Any]:
    """Facts of several boots as one: what all share; of what reports show, medians of numbers or all words."""
    host: dict[str, Any] = {}
    for key in dict.fromkeys(key for one in facts for key in one):
        found = [one[key] for one in facts if key in one]
        if len(found) == len(facts) and all(value == found[0] for value in found):
            host[key] = found[0]
        elif key in PER_BOOT:
            text = any(isinstance(value, str) for value in found)
            host[key] = "; ".join(dict.fromkeys(map(str, found))) if text else statistics.median(map(float, found))
    return {key: value for key, value in host.items() if not isinstance(value, float) or math.isfinite(value)}
