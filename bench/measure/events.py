# SPDX-License-Identifier: GPL-2.0-only
"""What perf_event_open(2) can tell of each phase beside its time: events counted, kernel functions sampled.

In rounds of their own, after those that are timed: nothing of it is on while a time is taken. bench/core/events.c.
"""

from __future__ import annotations

import bisect
import errno
import os
import re
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bench.measure.core import check, ffi, hypervisor, lib
from bench.plan.records import OTHERS, PHASES, Facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.measure.core import Pattern, Tracker, Writers

# User space and kernel apart, in two rounds: so few events at once need not share the counters of any CPU.
USER, KERNEL, SAMPLES = WATCHES = ("user", "kernel", "samples")
_SUFFIX = {USER: ":u", KERNEL: ":k"}
_CYCLES, _CLOCK = 50_021, 20_011  # between samples: of the CPU, or ns; primes, to fall in step with nothing
_ROOM = 1 << 15  # samples of a round
_SAMPLED_NS = 30e6  # of intervals in a round of samples, where its loops are shorter
_MOST_LOOPS = 1000
_MOST_FUNCTIONS = 40  # of a phase: the rest is of no weight, and takes room in every result
_WHY = {
    errno.ENOENT: "no such counter in this CPU or virtual machine",
    errno.EOPNOTSUPP: "no such counter in this CPU or virtual machine",
    errno.ENODEV: "no such counter in this CPU or virtual machine",
    errno.EACCES: "kernel.perf_event_paranoid forbids it: run as root, or sysctl kernel.perf_event_paranoid=1",
    errno.EPERM: "kernel.perf_event_paranoid forbids it: run as root, or sysctl kernel.perf_event_paranoid=1",
    errno.ENOSYS: "no perf_event_open(2) in this kernel: build with CONFIG_PERF_EVENTS",
}


class Events:
    """Counters of this thread and those it starts later, or a sampler of it: open it before what is to be counted.

    watch: of WATCHES. Raises OSError where there is no sampler; which counters there are, `names` says.
    """

    def __init__(self, watch: str) -> None:
        self.struct = ffi.new("struct events *")
        self.names: dict[str, int] = {}
        self.missing: dict[str, int] = {}  # the errno
        if watch == SAMPLES:
            self._open_sampler()
            return
        lib.events_open(self.struct, watch == KERNEL)
        for i, name in enumerate(_known()):
            errors = int(self.struct.errors[i])
            (self.missing if errors else self.names)[name + _SUFFIX[watch]] = errors or i

    def _open_sampler(self) -> None:
        self.clock = bool(lib.sampler_open(self.struct, 0, _CYCLES, _ROOM))
        if self.clock:
            lib.events_close(self.struct)
            if status := lib.sampler_open(self.struct, 1, _CLOCK, _ROOM):
                lib.events_close(self.struct)
                check(status)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        lib.events_close(self.struct)

    def run(
        self, tracker: Tracker, pattern: Pattern, count: int, *, atomic: bool, writers: Writers | None, warmups: int
    ) -> None:
        """Run `count` intervals, the first of them warmups, and add up. Raises OSError with the call that failed."""
        team = writers.struct if writers else ffi.NULL
        check(lib.events_run(self.struct, tracker.struct, pattern.struct, atomic, team, count, warmups))

    def counters(self, phases: Iterable[str], intervals: int) -> dict[str, dict[str, list[float]]]:
        """Return {phase: {event: [its mean]}} over so many intervals; without those that shared a counter."""
        whole = {name: i for name, i in self.names.items() if not self.struct.shared[i]}
        return {
            phase: {name: [self.struct.counts[PHASES.index(phase)][i] / intervals] for name, i in whole.items()}
            for phase in phases
            if whole
        }

    def trouble(self) -> list[str]:
        """Return what was not counted or sampled as it should be."""
        shared = [f"{name} left out: others had its counter for a part of the time, such as the NMI watchdog"
                  for name, i in self.names.items() if self.struct.shared[i]]  # fmt: skip
        return shared + ["some samples were left out by the kernel"] * bool(self.struct.lost)

    def samples(self) -> dict[str, dict[str, int]]:
        """Return {phase: {address in hexadecimal: samples}}."""
        found: dict[str, Counter[str]] = {}
        for one in self.struct.samples[0 : self.struct.n_samples]:
            found.setdefault(PHASES[one.phase], Counter())[f"{one.ip:016x}"] += 1
        return {phase: dict(some) for phase, some in found.items()}


def _known() -> list[str]:
    names: list[str] = []
    while (name := lib.event_name(len(names))) != ffi.NULL:
        names.append(ffi.string(name).decode())
    return names


def turn(process: int, share: int) -> str:
    """Return what the process is to watch: of WATCHES, or nothing. `share`: the processes of a boot.

    Events repeat better than times do: once a boot is enough, and costs a run of many processes little.
    """
    number = process % max(share, len(WATCHES))
    watch = WATCHES[number] if number < len(WATCHES) else ""
    return "" if watch == SAMPLES and _emulated() else watch


def _emulated() -> bool:
    return hypervisor() == "TCGTCGTCGTCG"


def loops(watch: str, wanted: int, interval_ns: float, *, first: int) -> int:
    """Return how many intervals a round has: samples need some time, of first intervals there is one."""
    if watch != SAMPLES or first:
        return wanted
    return min(_MOST_LOOPS, max(wanted, int(_SAMPLED_NS / max(1.0, interval_ns))))


def named(samples: Sequence[dict[str, dict[str, int]]]) -> list[dict[str, dict[str, int]]]:
    """Return {phase: {kernel function: samples}} of each, the most frequent first; nothing in it if names are hidden.

    Reads all symbols of the kernel: that takes a third of a second, and memory.
    """
    with open("/proc/kallsyms", "rb") as file:
        lines = re.findall(rb"^[0-9a-f]{16} [tTwW] \S+", file.read(), re.MULTILINE)
    lines.sort()  # by address: it has a fixed width
    if not lines or lines[-1].startswith(b"0" * 16):
        return [{} for _ in samples]
    return [{phase: _functions(some, lines) for phase, some in one.items()} for one in samples]


def _functions(addresses: dict[str, int], lines: list[bytes]) -> dict[str, int]:
    """Samples by function; lines: of /proc/kallsyms, by address."""
    counts: Counter[str] = Counter()
    for address, count in addresses.items():
        at = bisect.bisect(lines, address.encode() + b"\xff")
        counts[lines[at - 1][19:].decode() if at else address] += count
    most = dict(counts.most_common(_MOST_FUNCTIONS))
    rest = counts.total() - sum(most.values())
    return most | ({OTHERS: rest} if rest else {})


def facts() -> Facts:
    """Say which events can be had here, and why others can't."""
    names: list[str] = []
    missing: dict[str, list[str]] = {}
    for watch in (USER, KERNEL):
        with Events(watch) as events:
            names += events.names
            for name, number in events.missing.items():
                missing.setdefault(_why(number), []).append(name)
    found: Facts = {"events": " ".join(names) or "none", "sampling": _sampling()}
    if missing:
        found["events_missing"] = "; ".join(f"{' '.join(some)}: {why}" for why, some in missing.items())
    return found


def _why(number: int) -> str:
    return f"{_WHY.get(number, os.strerror(number))} ({errno.errorcode.get(number, number)})"


def _sampling() -> str:
    """How kernel functions are sampled, or why they are not."""
    if _emulated():
        return "none: what an emulated machine takes says nothing of a function; --accel icount counts its instructions"
    if not any(named([{"any": {"f" * 16: 1}}])):
        return "none: kernel.kptr_restrict hides the kernel's addresses: run as root, or sysctl kernel.kptr_restrict=0"
    try:
        with Events(SAMPLES) as events:
            if not events.clock:
                return f"every {_CYCLES} cycles"
    except OSError as error:
        return f"none: {_why(error.errno or 0)}"
    return (
        f"every {_CLOCK} ns by a timer, for want of a counter of cycles: what runs with interrupts off is found where "
        "they come on again"
    )
