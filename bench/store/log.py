# SPDX-License-Identifier: GPL-2.0-only
"""The log of a run, records.jsonl: a record a line, appended as it comes, each whole or dropped."""

from __future__ import annotations

import gzip
import math
import os
import statistics
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from bench.errors import BadInput, PermissionDenied
from bench.plan import records
from bench.plan.plan import Plan
from bench.plan.records import Facts, Machine, Record

FILE = "records.jsonl"
PACKED = "records.jsonl.gz"  # the same, packed: examples
PER_BOOT = ("memory_bytes", "clock_ns", "syscall_ns", "disturbances")  # what the reports show of it
HINT = "a run writes it: ./bench.py run --name NAME"


class Log:
    """Appends records. Every append costs the same, however many there are, and is one write of a whole line."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _refused(self.path, error) from None
        self._drop_torn_line()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def append(self, record: Record) -> None:
        """Add a record. Raises PermissionDenied where it can't be written; then nothing of it stays."""
        line = records.encode(record).encode() + b"\n"
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            written = os.write(self._file, line)
            while written < len(line):  # a file system that is nearly full
                written += os.write(self._file, line[written:])
        except OSError as error:
            os.ftruncate(self._file, end)
            raise _refused(self.path, error) from None

    def _drop_torn_line(self) -> None:
        """Who was killed may have left a part of a line: what comes next must not be glued to it."""
        data = self.path.read_bytes()
        os.ftruncate(self._file, data.rfind(b"\n") + 1)


def _refused(path: Path, error: OSError) -> PermissionDenied:
    return PermissionDenied(
        f"{path} can't be written: {error.strerror}", "what was measured before is in it; is the disk full?"
    )


def find(folder: Path) -> Path | None:
    """Return the log of a result's folder, None where it has none."""
    return next((folder / name for name in (FILE, PACKED) if (folder / name).is_file()), None)


def read(path: Path) -> tuple[list[Record], str]:
    """Return all records of a log, and what is to be said of a torn last line. Raises BadInput for a damaged log."""
    found: list[Record] = []
    boots: set[int] = set()
    try:
        with _opened(path) as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith("\n"):
                    return found, f"The last line of {path.name} is torn, by a kill or a full disk: it is left out."
                try:
                    record = records.decode(line)
                    if why := _misplaced(record, number, boots):
                        raise BadInput(why)
                    found.append(record)
                except BadInput as error:
                    raise BadInput(f"{path}, line {number}: {error}", f"it is damaged or no result; {HINT}") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise BadInput(f"{path} can't be read: {error}", f"it is damaged or no result; {HINT}") from None
    return found, ""


def _misplaced(record: Record, line: int, boots: set[int]) -> str:
    """Say why a record can't stand in that line, behind the machines of these boots; empty where it can."""
    if isinstance(record, Plan) == (line > 1):
        return "the plan must come first, and once"
    if isinstance(record, Plan):
        return ""
    known = record.boot in boots
    if known == isinstance(record, Machine):
        return f"boot {record.boot} has two machines" if known else f"boot {record.boot} has no machine yet"
    boots.add(record.boot)
    return ""


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


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
