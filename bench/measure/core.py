# SPDX-License-Identifier: GPL-2.0-only
"""Mappings, patterns and trackers: the C core as Python objects that free what they hold."""

from __future__ import annotations  # array[int]: Python 3.11 has it in annotations only

import errno
import os
from array import array
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from bench.errors import PermissionDenied, Unsupported
from bench.plan.kinds import ANON, KINDS, POPULATE, USUAL, Ask, Kind, Layout

try:
    from bench.core._core import ffi, lib
except ImportError as error:
    raise Unsupported(f"the C core is not built for this Python: {error}", "run: make setup") from None

if TYPE_CHECKING:
    from collections.abc import Sequence

SANDBOX = "is this a sandbox (seccomp)? measure outside of it, or in a virtual machine: --where vm"
__all__ = ["Interval", "Mapping", "Pattern", "Tracker", "Writers", "draw", "ffi", "lib", "sample"]


class Interval(NamedTuple):
    """One tracking interval: nanoseconds of each phase, and the pages its result had too many or too few.

    `collect_ns` is that of `collect_reset` where the interval was an atomic one; of several writers `dirty_ns` is that
    of the slowest, and of concurrent intervals `reset_ns` and `collect_ns` are those of both collects; `overlapped` is
    1 where a writer was still writing when the first of them had ended.
    """

    reset_ns: int
    dirty_ns: int
    collect_ns: int
    extra: int
    missed: int
    overlapped: int = 0


class Example(NamedTuple):
    """A wrong report: its first pages that nobody wrote and that were not reported, by index, and how many there were.

    `outside`: pages reported twice, or that are not tracked; `idle`: nothing was written since the reset.
    """

    extra: list[int]
    missed: list[int]
    n_extra: int
    n_missed: int
    outside: int
    idle: bool


def check(status: int) -> None:
    """Raise OSError(errno, text, call) for a status of the core that is not 0."""
    if status:
        raise OSError(-status, os.strerror(-status), ffi.string(lib.failed_call()).decode())


def sample(total: int, count: int, seed: int) -> array[int]:
    """Return `count` distinct pages of `total`, uniform, in random order: uint32[count], same for the same seed."""
    out = array("I", bytes(4 * total))
    lib.sample_pages(ffi.from_buffer("uint32_t[]", out, require_writable=True), total, count, seed % 2**64)
    return out[:count]


def draw(total: int, count: int, seed: int) -> array[int]:
    """Return `count` pages of `total`, uniform and with repeats: uint32[count], same for the same seed."""
    out = array("I", bytes(4 * count))
    lib.draw_pages(ffi.from_buffer("uint32_t[]", out, require_writable=True), total, count, seed % 2**64)
    return out


class _Resource:
    """Something the core allocated: closed by `with`, whatever happens inside."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give everything back to the kernel; calling it again does nothing."""
        raise TypeError("a resource says how it is closed")


class Mapping(_Resource):
    """`pages` pages of memory, guarded; huge pages are verified, to be there or not to be there.

    Raises OSError with the name of the failed call, and Unsupported where the kernel did not do as it was told.
    """

    def __init__(self, pages: int, layout: Layout = ANON) -> None:
        kind = KINDS[layout.kind]
        self.struct = ffi.new("struct mapping *")
        self.pages, self.layout = pages, layout
        self.watched = layout.watched or pages
        directory = ffi.new("char[]", os.fsencode(layout.directory))
        made = ffi.new("struct layout *")
        made.pages, made.kind, made.huge = pages, getattr(lib, kind.number), kind.huge
        made.populate = getattr(lib, POPULATE[layout.populate])
        made.populated = pages if layout.populated is None else layout.populated
        made.vmas, made.watched, made.directory = layout.vmas, self.watched, directory
        if layout.outside is None:
            check(lib.mapping_create(self.struct, made))
        else:
            check(lib.mapping_create_outside(self.struct, made, layout.outside))
        self.page_size = int(self.struct.page_size)
        self._verify(kind)

    def _verify(self, kind: Kind) -> None:
        huge, size = self.huge_kib() * 1024, self.pages * self.page_size
        if huge and not kind.huge:
            self.close()
            raise Unsupported("the kernel backed the mapping with huge pages although MADV_NOHUGEPAGE was set")
        if kind.huge and self.layout.populate == "write" and huge < size:
            self.close()
            raise Unsupported(
                f"the kernel backed only {huge >> 20} of {size >> 20} MiB with huge pages",
                "free memory, or allow them: echo advise > /sys/kernel/mm/transparent_hugepage/"
                + ("shmem_enabled" if kind.number == "KIND_SHMEM" else "enabled"),
            )

    def huge_kib(self) -> int:
        """Return how much of the mapping transparent huge pages back, in KiB, as /proc/PID/smaps has it."""
        kib = ffi.new("uint64_t *")
        check(lib.mapping_huge_kib(self.struct, kib))
        return int(kib[0])

    def vmas(self) -> int:
        """Return how many VMAs it consists of now, as /proc/PID/maps has them."""
        first = int(ffi.cast("uintptr_t", self.struct.base))
        end = first + self.struct.pages * self.page_size
        with open(f"/proc/{self.struct.pid or 'self'}/maps", encoding="ascii", errors="replace") as maps:
            starts = [int(line.partition("-")[0], 16) for line in maps]
        return sum(first <= start < end for start in starts)

    def granule(self) -> int:
        """Return the pages that one protection covers: 512 in hugetlb, else 1."""
        return int(self.struct.granule)

    def process_id(self) -> int:
        """Return the id of the process whose memory it is: this one's, unless it was made outside."""
        return int(lib.process_id(self.struct))

    def buffer(self) -> Any:
        """Return a writable buffer over the whole mapping: writing into it is writing to the tracked pages."""
        return ffi.buffer(self.struct.base, self.pages * self.page_size)

    def close(self) -> None:
        """Unmap, guards included; end the process it was made in."""
        lib.mapping_destroy(self.struct)


class Pattern:
    """Which pages one interval writes, in order; `written` is how many distinct ones of the watched pages that is.

    order: uint32[writes]; watched: how many pages from the first on are tracked.
    """

    def __init__(self, order: array[int], watched: int) -> None:
        self.writes = len(order)
        words = (watched + 63) // 64
        # The struct holds bare pointers: these keep what they point to alive.
        self._owned = (
            ffi.from_buffer("uint32_t[]", order),
            *(ffi.new("uint64_t[]", words) for _ in ("written", "seen", "before")),
            ffi.new("struct example *"),
        )
        self.struct = ffi.new("struct pattern *", [self._owned[0], len(order), *self._owned[1:]])
        self.written = int(lib.pattern_init(self.struct, watched))

    def example(self) -> Example | None:
        """Return what the first wrong report was; None where none was wrong."""
        found = self.struct.example
        if not (found.n_extra or found.n_missed or found.outside):
            return None
        n_extra, n_missed = int(found.n_extra), int(found.n_missed)
        extra, missed = (list(some[0 : min(count, len(some))]) for some, count in
                         ((found.extra, n_extra), (found.missed, n_missed)))  # fmt: skip
        return Example(extra, missed, n_extra, n_missed, int(found.outside), bool(found.idle))


class Writers(_Resource):
    """`count` threads that write a pattern: each a part of it, or, shared, each all of it. On `cpus` in turn."""

    def __init__(self, mapping: Mapping, pattern: Pattern, count: int, *, shared: bool, cpus: Sequence[int]) -> None:
        self.struct = ffi.NULL
        self._written = mapping, pattern  # whose memory the threads use
        made = ffi.new("struct team **")
        check(lib.writers_start(made, mapping.struct, pattern.struct, count, shared, list(cpus), len(cpus)))
        self.struct = made[0]

    def close(self) -> None:
        """End the threads."""
        lib.writers_stop(self.struct)
        self.struct = ffi.NULL


class Tracker(_Resource):
    """An interface at work on a mapping. Every failing call raises OSError with its name."""

    def __init__(self, interface: str, mapping: Mapping, ask: Ask = USUAL, cpus: Sequence[int] = ()) -> None:
        """Open it. cpus: of scanners besides this thread, in turn."""
        self.struct = ffi.new("struct tracker *")
        self._mapping = mapping
        self._cpus = ffi.new("int[]", list(cpus))
        how = ffi.new("struct ask *", [*ask, self._cpus, len(cpus)])
        check(lib.tracker_open(self.struct, table(interface), mapping.struct, how))

    def reset(self) -> None:
        """From now on, writes count."""
        check(lib.tracker_reset(self.struct))

    def reset_part(self, pages: int) -> None:
        """Reset the first pages alone; all that is tracked, where the interface has no smaller unit."""
        whole = self.struct.mapping
        part = ffi.new("struct mapping *", whole[0])
        part.watched = pages
        self.struct.mapping = part
        try:
            self.reset()
        finally:
            self.struct.mapping = whole

    def collect(self) -> list[tuple[int, int]]:
        """Return the ranges written since the reset, as page indices [first, end)."""
        check(lib.tracker_collect(self.struct))
        return self._ranges()

    def collect_reset(self) -> list[tuple[int, int]]:
        """Collect and reset, atomically. Raises OSError(EOPNOTSUPP) where the interface can't."""
        check(lib.tracker_collect_reset(self.struct))
        return self._ranges()

    def _ranges(self) -> list[tuple[int, int]]:
        base, page = int(ffi.cast("uintptr_t", self._mapping.struct.base)), self._mapping.page_size
        found = self.struct.ranges[0 : self.struct.n_ranges]
        return [((r.start - base) // page, (r.end - base) // page) for r in found]

    def check(self, pattern: Pattern) -> tuple[int, int]:
        """Compare the ranges delivered last with the pattern: (extra pages, missed pages)."""
        counts = ffi.new("uint64_t[2]")
        lib.check_ranges(self.struct, pattern.struct, counts, counts + 1)
        return int(counts[0]), int(counts[1])

    def run(
        self,
        pattern: Pattern,
        count: int,
        *,
        atomic: bool,
        writers: Writers | None = None,
        concurrent: bool = False,
        warmups: int = 0,
    ) -> list[Interval]:
        """Time and check `count` intervals, the first of them warmups; atomic ones are dirty + collect_reset.

        The writers write, else the process that the mapping was made in, else this thread. concurrent: they do while
        the tracker collects twice an interval, and what both reports have together is checked.
        """
        out, team = ffi.new("struct interval[]", count), writers.struct if writers else ffi.NULL
        check(lib.run_intervals(self.struct, pattern.struct, atomic, team, concurrent, out, count, warmups))
        return [Interval(i.reset_ns, i.dirty_ns, i.collect_ns, i.extra, i.missed, i.overlapped) for i in out]

    def close(self) -> None:
        """Close the descriptors and free the buffers."""
        lib.tracker_close(self.struct)


def table(interface: str) -> Any:
    """Pointer to the C table of bench/core/interfaces/NAME.c. Raises Unsupported where the core is older than it."""
    try:
        return ffi.addressof(lib, f"interface_{interface.replace('-', '_')}")
    except AttributeError:
        raise Unsupported(f"the C core is older than its sources: it has no {interface}", "run: make setup") from None


def clock_cost() -> float:
    """Nanoseconds of one clock reading: what each timed phase contains too much."""
    return float(lib.clock_cost_ns())


def tsc_rate() -> float:
    """Cycles of the time stamp counter in a second; 0 where it is not invariant."""
    return float(lib.tsc_hz())


def syscall_cost() -> float:
    """Nanoseconds of an empty system call (getppid)."""
    return float(lib.syscall_cost_ns())


def hypervisor() -> str:
    """Twelve-letter CPUID signature of the hypervisor, such as KVMKVMKVM; empty on bare metal and off x86."""
    signature = ffi.new("char[13]")
    lib.hypervisor_signature(signature)
    return bytes(ffi.string(signature)).decode("ascii", "replace")


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, however that happens; and end if it has died already.

    parent: its process id, taken where it certainly lived. Raises PermissionDenied where the kernel refuses that.
    """
    status = lib.die_with_parent(parent)
    if status == -errno.ESRCH:
        os._exit(1)
    if status:
        raise PermissionDenied(f"the kernel refuses prctl(PR_SET_PDEATHSIG): {os.strerror(-status)}", SANDBOX)


def pin(cpu: int) -> None:
    """Keep this process on one CPU. Raises PermissionDenied."""
    try:
        os.sched_setaffinity(0, {cpu})
    except PermissionError as error:
        raise PermissionDenied(f"the kernel refuses sched_setaffinity(CPU {cpu}): {error.strerror}", SANDBOX) from None


def forgo_huge_pages() -> None:
    """Keep this process, and those it starts, without transparent huge pages: workers stay alike."""
    check(lib.forgo_huge_pages())


def hold_memory(size: int) -> None:
    """Keep `size` bytes resident in this process, without huge pages, until it ends."""
    if size:
        check(lib.hold_memory(size))
