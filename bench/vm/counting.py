# SPDX-License-Identifier: GPL-2.0-only
"""The plugin of QEMU that counts what an emulated kernel executes: compiles it, reads its reports, fills records.

A report is of one round, the run of one form's intervals: for each phase the totals of all timed intervals, then what
the interval with the median did (the lower one of two): `own` instructions by function, `count` of other things; and
`foreign` instructions, by function, of all timed intervals together.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from bench import processes
from bench.errors import Unsupported, WorkerFailed
from bench.plan.arches import ARCHES, USUAL, Arch
from bench.plan.interfaces import form
from bench.plan.points import LIFE
from bench.plan.records import PHASES, POPULATE, Series, Timed
from bench.vm import cache

SOURCE = Path(__file__).with_suffix(".c")
SOURCES = (SOURCE, *sorted(SOURCE.parent.glob("*.h")), SOURCE.parents[1] / "core/marks.h")
COUNTS = {name for row in ARCHES.values() for name in row.counts}
USER = "[user]"
_INTERFACES = (((11, 1), 7), ((9, 1), 3), ((9, 0), 2), ((7, 0), 1))  # of its plugins, by the QEMU that brought them
_BIGGEST = 2**63
_KEPT_SECONDS = 7 * 24 * 3600
_SECONDS = 120.0  # for QEMU to say what it can, and for the compiler


class Plugin(NamedTuple):
    """The compiled plugin, and the file that says where the kernel's functions are."""

    library: Path
    symbols: Path

    def options(self, report: IO[bytes]) -> tuple[str, ...]:
        """Return QEMU's options for it. report: the file that it appends to, inherited."""
        library, symbols = (str(path).replace(",", ",,") for path in self)
        return "-plugin", f"{library},symbols={symbols},fd={report.fileno()}"


def compiled(arch: Arch = ARCHES[USUAL]) -> Path:
    """Return the plugin for this machine's QEMU of an architecture, compiled if need be. Raises Unsupported."""
    compiler = (os.environ.get("CC") or "cc").split()
    if not compiler or not shutil.which(compiler[0]):
        raise Unsupported("there is no C compiler to make its plugin", "install gcc, or set CC")
    api = interface(*(_said(arch.qemu, option) for option in ("--version", "--help")))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest()[:16]
    library = cache.folder("plugin") / f"counting-{digest}-{api}.so"
    with cache.lock("plugin"):
        if cache.usable(library, _whole):
            library.touch()
        else:
            for old in library.parent.glob("*.so"):
                if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
                    old.unlink()
            _compile(compiler, api, library)
    return library


def _whole(library: bytes) -> bool:
    """Whether a 64-bit ELF file has its section headers, which come last: elf(5)."""
    if not library.startswith(b"\x7fELF") or len(library) < 64:
        return False
    size, count = struct.unpack_from("<HH", library, 58)
    (start,) = struct.unpack_from("<Q", library, 40)
    return bool(start + size * count <= len(library))


def _said(qemu: str, option: str) -> str:
    return processes.run([qemu, option], _SECONDS).stdout


def interface(version: str, usage: str) -> int:
    """Return which version of the plugin interface a QEMU has, of those in qemu_plugin.h. Raises Unsupported.

    version, usage: what it says to --version and --help.
    """
    if "-plugin" not in usage:
        raise Unsupported("this QEMU was built without plugins")
    found = re.search(r"version (\d+)\.(\d+)", version)
    if not found:
        raise Unsupported("QEMU does not say its version")
    number = int(found[1]), int(found[2])
    if number < _INTERFACES[-1][0]:
        raise Unsupported(f"QEMU {found[1]}.{found[2]} is too old for its plugin", "it takes QEMU 7.0")
    return next(api for since, api in _INTERFACES if number >= since)


def _compile(compiler: list[str], api: int, library: Path) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent, prefix=".compile-") as folder:
        made = Path(folder, library.name)
        command = [*compiler, "-std=gnu11", "-O2", "-shared", "-fPIC", f"-DQEMU_PLUGIN_API={api}", "-o", str(made)]
        done = processes.run([*command, str(SOURCE)], _SECONDS)
        if done.returncode:
            raise Unsupported(f"its plugin could not be compiled: {done.stderr.strip()[-300:]}")
        made.replace(library)


class Phase(NamedTuple):
    """What a report says of a phase. `totals`: instructions of every timed interval."""

    totals: list[int]
    counts: dict[str, int]
    own: dict[str, int]
    foreign: dict[str, int]

    @property
    def median(self) -> int:
        """The lower one of two."""
        return sorted(self.totals)[(len(self.totals) - 1) // 2]

    def foreign_mean(self) -> dict[str, int]:
        """Foreign instructions of one interval by function, without those that round to nothing."""
        means = {name: round(count / len(self.totals)) for name, count in self.foreign.items()}
        return {name: mean for name, mean in means.items() if mean}


Round = dict[str, Phase]


class Counts:
    """The reports of one running guest, as they come. `names`: what is counted there, beside instructions."""

    def __init__(self, report: IO[bytes], names: tuple[str, ...]) -> None:
        self._report = report
        self.names = names
        self._read = 0

    def take(self) -> list[Round]:
        """Return the rounds that were reported since the last time. Raises WorkerFailed for what is no report."""
        data = os.pread(self._report.fileno(), os.fstat(self._report.fileno()).st_size - self._read, self._read)
        self._read += len(data)
        return parsed(data.decode("ascii", "replace").splitlines())

    def drop(self) -> None:
        """Forget what was reported so far: probes run intervals too."""
        self._read = os.fstat(self._report.fileno()).st_size

    def close(self) -> None:
        """Let go of the file, which has no name."""
        self._report.close()


def parsed(lines: Sequence[str]) -> list[Round]:
    """Return the rounds of a report's lines. Raises WorkerFailed for what is none."""
    rounds: list[Round] = []
    body: list[str] | None = None
    for line in lines:
        if line == "lost":
            raise WorkerFailed(
                "the kernel's functions are not where its symbols say", "does System.map belong to the image?"
            )
        if line == "round" and body is None:
            body = []
        elif body is None:
            raise WorkerFailed(f"no report of the counting plugin: {line[:60]!r}")
        elif line == f"end {len(body)}":
            rounds.append(_round(body))
            body = None
        else:
            body.append(line)
    if body is not None:
        raise WorkerFailed("a report of the counting plugin that does not end")
    return rounds


def _round(lines: list[str]) -> Round:
    found: Round = {}
    phase = None
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "phase":
            name, count = _pair(rest)
            if name not in PHASES or name in found:
                raise WorkerFailed(f"the counting plugin reports a phase {name[:40]!r}")
            phase = found[name] = Phase([], {}, {}, {})
            expected = count
        elif phase is None:
            raise WorkerFailed(f"no report of the counting plugin: {line[:60]!r}")
        elif word == "totals":
            phase.totals.extend(_number(one) for one in rest.split())
            if len(phase.totals) != expected or not expected:
                raise WorkerFailed(f"the counting plugin reports {len(phase.totals)} intervals of {expected}")
        else:
            number, _, name = rest.partition(" ")
            into = {"own": phase.own, "foreign": phase.foreign, "count": phase.counts}.get(word)
            if into is None or not name or (word == "count" and name not in COUNTS):
                raise WorkerFailed(f"no report of the counting plugin: {line[:60]!r}")
            into[name] = into.get(name, 0) + _number(number)  # static functions may share a name
    for name, one in found.items():
        if not one.totals or not one.median or sum(one.own.values()) != one.median:
            raise WorkerFailed(f"the functions that the counting plugin reports for {name} don't add up")
    return found


def _pair(text: str) -> tuple[str, int]:
    name, _, number = text.partition(" ")
    return name, _number(number)


def _number(text: str) -> int:
    if not re.fullmatch(r"\d{1,19}", text) or int(text) >= _BIGGEST:
        raise WorkerFailed(f"the counting plugin reports {text[:40]!r} as a number")
    return int(text)


def counted(record: Timed, rounds: Sequence[Round], counts: Sequence[str] = ARCHES[USUAL].counts) -> Timed:
    """Return the record with what was counted, in the order of its rounds. Raises WorkerFailed where they don't match.

    Its values become the instructions of the phase, user's and kernel's, without interrupts and other tasks. `counts`:
    what else was counted.
    """
    names = [name for name in str(record.facts.get("rounds", "")).split(",") if name]
    if len(names) != len(rounds):
        raise WorkerFailed(f"{record.point.name}: {len(names)} rounds were run, and {len(rounds)} were counted")
    series = []
    for one in record.series:
        label = form(one.interface, one.atomic)
        own = [one_round for name, one_round in zip(names, rounds, strict=True) if name == label]
        series.append(_filled(one, own, record.point.loops, f"{label} at {record.point.name}", counts))
    return record._replace(series=series)


def _filled(series: Series, rounds: Sequence[Round], loops: int, what: str, counts: Sequence[str]) -> Series:
    values = dict(series.values)
    counters: dict[str, dict[str, list[float]]] = {}
    functions: dict[str, list[dict[str, int]]] = {}
    foreign: dict[str, list[dict[str, int]]] = {}
    for phase in [phase for phase in values if phase != POPULATE]:
        found = [one[phase] for one in rounds if phase in one]
        expected = 1 if phase in LIFE else loops
        if len(found) != len(values[phase]) or any(len(one.totals) != expected for one in found):
            raise WorkerFailed(f"{what}: the counted intervals of {phase} are not those that were run")
        values[phase] = [float(one.median) for one in found]
        functions[phase] = [{name: n for name, n in one.own.items() if name != USER} for one in found]
        foreign[phase] = [one.foreign_mean() for one in found]
        user = [float(one.own.get(USER, 0)) for one in found]
        counters[phase] = {
            "user": user,
            "kernel": [all_ - own for all_, own in zip(values[phase], user, strict=True)],
            "foreign": [float(sum(one.values())) for one in foreign[phase]],
            **{name: [float(one.counts.get(name, 0)) for one in found] for name in counts},
        }
    return series._replace(values=values, counters=counters, functions=functions, foreign=foreign)
