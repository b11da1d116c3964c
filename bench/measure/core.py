# SPDX-License-Identifier: GPL-2.0-only
"""Mappings, patterns and trackers: the C core as Python objects that free what they hold."""

from __future__ import annotations  # array[int]: Python 3.11 has it in annotations only

import errno
import os
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.errors import PermissionDenied, Unsupported
from bench.measure import folios
from bench.measure.native import Resource, check, ffi, lib
from bench.plan.interfaces import ACCESSED, INTERFACES
from bench.plan.kinds import ANON, FOLIO_PAGE, FREE, KINDS, PAGE_SIZE, POPULATE, THEN, USUAL, Ask, Kind, Layout
from bench.plan.points import LIFE

if TYPE_CHECKING:
    from collections.abc import Sequence

SANDBOX = "is this a sandbox (seccomp)? measure outside of it, or in a virtual machine: --where vm"
__all__ = ["Bystander", "Interval", "Mapping", "Pattern", "Tracker", "Writers", "check", "draw", "ffi", "lib", "sample"]


class Interval(NamedTuple):
    """One tracking interval: nanoseconds of each phase, and the pages its result had too many or too few.

    `collect_ns` is that of `collect_reset` where the interval was an atomic one; of several writers `dirty_ns` is that
    of the slowest, and of concurrent intervals `reset_ns` and `collect_ns` are those of both collects; `overlapped` is
    1 where a writer was still writing when the first of them had ended. `periods`: of writers that have a rhythm, of
    which `late` ones ended before their pages were written. `act_ns`: of what was done with reported pages.
    """

    reset_ns: int
    dirty_ns: int
    collect_ns: int
    extra: int
    missed: int
    overlapped: int = 0
    periods: int = 0
    late: int = 0
    act_ns: int = 0


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


class Mapping(Resource):
    """`pages` pages of memory, guarded; huge pages are verified, to be there or not to be there.

    Raises OSError with the name of the failed call, and Unsupported where the kernel did not do as it was told.
    """

    def __init__(self, pages: int, layout: Layout = ANON) -> None:
        kind = KINDS[layout.kind]
        self.struct = ffi.new("struct mapping *")
        self.pages, self.layout = pages, layout
        if kind.folio and PAGE_SIZE != FOLIO_PAGE:
            raise Unsupported(f"{layout.kind} is of pages of 4 KiB, and here they have {PAGE_SIZE >> 10} KiB")
        self.watched = layout.watched or pages
        directory = ffi.new("char[]", os.fsencode(layout.directory))
        made = ffi.new("struct layout *")
        made.pages, made.kind, made.huge = pages, getattr(lib, kind.number), kind.huge
        made.folio = kind.folio
        made.populate = getattr(lib, POPULATE[layout.populate])
        made.populated = pages if layout.populated is None else layout.populated
        made.vmas, made.watched, made.directory = layout.vmas, self.watched, directory
        given = folios.given(kind) if kind.folio else 0
        if layout.targets > 1:
            cpus = ffi.new("int[]", list(layout.cpus))
            check(lib.mapping_create_targets(self.struct, made, layout.targets, cpus, len(layout.cpus)))
        elif layout.outside is None:
            check(lib.mapping_create(self.struct, made))
        else:
            check(lib.mapping_create_outside(self.struct, made, layout.outside))
        self.page_size = int(self.struct.page_size)
        try:
            self._verify(kind)
            if kind.folio:
                folios.verify(self, kind, given)
        except BaseException:
            self.close()
            raise

    def _verify(self, kind: Kind) -> None:
        huge, size = self.huge_kib() * 1024, self.pages * self.page_size
        whole = kind.huge and not kind.folio
        if huge and not whole:
            raise Unsupported("the kernel backed the mapping with huge pages although MADV_NOHUGEPAGE was set")
        if whole and self.layout.populate == "write" and huge < size:
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
        count, targets = 0, self.struct.targets
        for one in targets[0 : self.struct.n_targets] if targets else [self.struct]:
            first = int(ffi.cast("uintptr_t", one.base))
            end = first + one.pages * self.page_size
            with open(f"/proc/{one.pid or 'self'}/maps", encoding="ascii", errors="replace") as maps:
                starts = [int(line.partition("-")[0], 16) for line in maps]
            count += sum(first <= start < end for start in starts)
        return count

    def granule(self) -> int:
        """Return the pages that one protection covers: those of a huge page in hugetlb, else 1."""
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
    """Which pages one interval accesses, in order.

    order: uint32[writes]; watched: how many pages from the first on are tracked; reads: a byte for each access, 1 for a
    read; None: all are writes. `written` and `accessed` are how many distinct ones of the watched pages are.
    """

    def __init__(self, order: array[int], watched: int, reads: bytes | None = None) -> None:
        self.writes = len(order)
        words = (watched + 63) // 64
        # The struct holds bare pointers: these keep what they point to alive.
        self._owned = (
            ffi.from_buffer("uint32_t[]", order),
            *(ffi.new("uint64_t[]", words) for _ in ("written", "seen", "before")),
            ffi.new("struct example *"),
            ffi.NULL if reads is None else ffi.from_buffer("uint8_t[]", reads),
            ffi.new("uint64_t[]", words),
        )
        self.struct = ffi.new("struct pattern *", [self._owned[0], len(order), *self._owned[1:]])
        lib.pattern_init(self.struct, watched)
        self.written, self.accessed = (
            sum(int(word).bit_count() for word in bitmap) for bitmap in (self._owned[1], self._owned[-1])
        )

    def judge(self, prop: str) -> int:
        """Compare reports with the truth about this property from now on. Return how many pages have it."""
        accessed = prop == ACCESSED
        self.struct.truth = self.struct.accessed if accessed else self.struct.written
        return self.accessed if accessed else self.written

    def example(self) -> Example | None:
        """Return what the first wrong report was; None where none was wrong."""
        found = self.struct.example
        if not (found.n_extra or found.n_missed or found.outside):
            return None
        n_extra, n_missed = int(found.n_extra), int(found.n_missed)
        extra, missed = (list(some[0 : min(count, len(some))]) for some, count in
                         ((found.extra, n_extra), (found.missed, n_missed)))  # fmt: skip
        return Example(extra, missed, n_extra, n_missed, int(found.outside), bool(found.idle))


class Writers(Resource):
    """`count` threads that write a pattern: each a part of it, or, shared, each all of it. On `cpus` in turn.

    rhythm: how many of them, from the first on, write how many pages every so many nanoseconds.
    """

    def __init__(
        self,
        mapping: Mapping,
        pattern: Pattern,
        count: int,
        *,
        shared: bool,
        cpus: Sequence[int],
        rhythm: tuple[int, int, int] = FREE,
    ) -> None:
        self.struct = ffi.NULL
        self._written = mapping, pattern  # whose memory the threads use
        made = ffi.new("struct team **")
        check(lib.writers_start(made, mapping.struct, pattern.struct, count, shared, list(cpus), len(cpus)))
        self.struct = made[0]
        lib.writers_pace(self.struct, ffi.new("struct rhythm *", rhythm))

    def close(self) -> None:
        """End the threads."""
        lib.writers_stop(self.struct)
        self.struct = ffi.NULL


class Noted(NamedTuple):
    """What a bystander noted of its operations. Times in nanoseconds.

    `counts`, `most`: by row of struct latencies, how many there were in each bucket, {bucket: count}, and the slowest.
    `ended`, `ended_ns`: operations that ended in a phase, and what these took with the time between them. `urgent`: it
    went before all tasks of usual priority.
    """

    counts: list[dict[int, int]]
    most: list[int]
    ended: int
    ended_ns: int
    urgent: bool


class Bystander(Resource):
    """Somebody who does `what`, one of plan/bystanders.py's, beside a tracker that runs `count` intervals."""

    def __init__(
        self,
        tracker: Tracker,
        what: str,
        count: int,
        *,
        atomic: bool,
        warmups: int = 0,
        cpu: int = -1,
        pause_us: int = 0,
    ) -> None:
        """Start it. cpu: where; pause_us: between two operations, where the tracker has no other CPU."""
        self.struct, self._tracker = ffi.NULL, tracker
        made = ffi.new("struct bystander **")
        doing = getattr(lib, f"BYSTANDER_{what.upper()}")
        status = lib.bystander_start(made, tracker.struct, doing, cpu, pause_us * 1000, atomic, warmups, count)
        self.struct = made[0]
        if status:
            self.close()
        check(status)

    def stop(self) -> Noted:
        """End it, and return what it noted. Raises OSError for an operation that failed."""
        found, struct = ffi.new("struct latencies *"), self.struct
        self.struct = ffi.NULL
        check(lib.bystander_stop(struct, found))
        counts = [{at: int(n) for at, n in enumerate(row) if n} for row in found.counts]
        return Noted(counts, list(found.most), int(found.ended), int(found.ended_ns), bool(found.urgent))

    def close(self) -> None:
        """End it, whatever it noted."""
        if self.struct:
            lib.bystander_stop(self.struct, ffi.NULL)
            self.struct = ffi.NULL


class Tracker(Resource):
    """An interface at work on a mapping. Every failing call raises OSError with its name."""

    def __init__(
        self, interface: str, mapping: Mapping, ask: Ask = USUAL, cpus: Sequence[int] = (), *, opened: bool = True
    ) -> None:
        """Open it, or, not opened, give it its buffers and no more. cpus: of scanners besides this thread, in turn."""
        self.struct = ffi.new("struct tracker *")
        self._mapping, row = mapping, INTERFACES[interface]
        self._prop, self._addresses = row.prop, row.addresses
        self._cpus = ffi.new("int[]", list(cpus))
        *numbers, then = ask
        how = ffi.new("struct ask *", [*numbers, getattr(lib, THEN[str(then)]), self._cpus, len(cpus)])
        begin = lib.tracker_open if opened else lib.tracker_prepare
        status = begin(self.struct, table(interface), mapping.struct, how)
        if status and not opened:
            lib.tracker_close(self.struct)
        check(status)

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

    def total(self) -> int:
        """Return how many pages the last collect reported, of which an interface may not say which they are."""
        if self._addresses:
            return sum(end - first for first, end in self._ranges())
        return int(self.struct.sum)

    def check(self, pattern: Pattern) -> tuple[int, int]:
        """Compare the ranges delivered last with the pattern: (extra pages, missed pages)."""
        pattern.judge(self._prop)
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
        pattern.judge(self._prop)
        out, team = ffi.new("struct interval[]", count), writers.struct if writers else ffi.NULL
        check(lib.run_intervals(self.struct, pattern.struct, atomic, team, concurrent, out, count, warmups))
        return _intervals(out)

    def live(
        self,
        pattern: Pattern,
        count: int,
        *,
        atomic: bool,
        writers: Writers | None = None,
        concurrent: bool = False,
        busy: bool = False,
    ) -> tuple[dict[str, int], list[Interval]]:
        """Time and check a whole life of a tracker that is not open: {phase: nanoseconds}, and its intervals.

        The first of those is armed by the first reset, the phase `arm`, and is a warmup. busy: the writers write while
        tracking ends. The last interval's pages include those of a second life, and its `overlapped` says whether a
        writer was still writing when tracking had ended. Raises OSError as others do; EBUSY, EIO: memory is not what it
        was before tracking, or not what was written.
        """
        pattern.judge(self._prop)
        out, team = ffi.new("struct interval[]", count), writers.struct if writers else ffi.NULL
        life = ffi.new("struct life *", {"busy": busy})
        check(lib.run_life(self.struct, pattern.struct, atomic, team, concurrent, life, out, count))
        found = _intervals(out)
        found[-1] = found[-1]._replace(overlapped=max(found[-1].overlapped, int(life.overlapped)))
        return {phase: int(getattr(life, f"{phase}_ns")) for phase in LIFE}, found

    def close(self) -> None:
        """Close the descriptors and free the buffers."""
        lib.tracker_close(self.struct)


def _intervals(out: Any) -> list[Interval]:
    return [Interval(*(int(getattr(one, field)) for field in Interval._fields)) for one in out]


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
