# SPDX-License-Identifier: GPL-2.0-only
"""Mappings, patterns and trackers: the C core as Python objects that free what they hold."""

from __future__ import annotations  # array[int]: Python 3.11 has it in annotations only

import os
from array import array
from types import TracebackType
from typing import Any, NamedTuple, Self

from bench.errors import Unsupported

try:
    from bench.core._core import ffi, lib
except ImportError as error:
    raise Unsupported(f"the C core is not built for this Python: {error}", "run: make setup") from None


__all__ = ["Interval", "Mapping", "Pattern", "Tracker", "draw", "ffi", "lib", "sample"]


class Interval(NamedTuple):
    """One tracking interval: nanoseconds of each phase, and the pages its result had too many or too few.

    `collect_ns` is that of `collect_reset` where the interval was an atomic one.
    """

    reset_ns: int
    dirty_ns: int
    collect_ns: int
    extra: int
    missed: int


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
    """`pages` pages of private anonymous memory, guarded, populated, THP off and verified to be off.

    Raises OSError with the name of the failed call.
    """

    def __init__(self, pages: int) -> None:
        self.struct = ffi.new("struct mapping *")
        check(lib.mapping_create(self.struct, pages))
        self.pages = pages
        self.page_size = int(self.struct.page_size)
        if self.huge_kib():
            self.close()
            raise Unsupported("the kernel backed the mapping with huge pages although MADV_NOHUGEPAGE was set")

    def huge_kib(self) -> int:
        """Return AnonHugePages of the mapping, in KiB, as /proc/self/smaps has it."""
        kib = ffi.new("uint64_t *")
        check(lib.mapping_huge_kib(self.struct, kib))
        return int(kib[0])

    def buffer(self) -> Any:
        """Return a writable buffer over the whole mapping: writing into it is writing to the tracked pages."""
        return ffi.buffer(self.struct.base, self.pages * self.page_size)

    def close(self) -> None:
        """Unmap, guards included."""
        lib.mapping_destroy(self.struct)


class Pattern:
    """Which pages one interval writes, in order; `written` is how many distinct ones that is.

    order: uint32[writes], indices below `pages`.
    """

    def __init__(self, order: array[int], pages: int) -> None:
        self.writes = len(order)
        words = (pages + 63) // 64
        # The struct holds bare pointers: these keep what they point to alive.
        self._owned = (
            ffi.from_buffer("uint32_t[]", order),
            ffi.new("uint64_t[]", words),
            ffi.new("uint64_t[]", words),
        )
        self.struct = ffi.new("struct pattern *", [self._owned[0], len(order), self._owned[1], self._owned[2]])
        self.written = int(lib.pattern_init(self.struct, pages))


class Tracker(_Resource):
    """An interface's C table at work on a mapping. Every failing call raises OSError with its name."""

    def __init__(self, table: Any, mapping: Mapping) -> None:
        self.struct = ffi.new("struct tracker *")
        self._mapping = mapping
        check(lib.tracker_open(self.struct, table, mapping.struct))

    def reset(self) -> None:
        """From now on, writes count."""
        check(lib.tracker_reset(self.struct))

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

    def run(self, pattern: Pattern, count: int, *, atomic: bool) -> list[Interval]:
        """Time and check `count` intervals; atomic ones are dirty + collect_reset."""
        out = ffi.new("struct interval[]", count)
        check(lib.run_intervals(self.struct, pattern.struct, atomic, out, count))
        return [Interval(i.reset_ns, i.dirty_ns, i.collect_ns, i.extra, i.missed) for i in out]

    def close(self) -> None:
        """Close the descriptors and free the buffers."""
        lib.tracker_close(self.struct)


def clock_cost() -> float:
    """Nanoseconds of one clock reading: what each timed phase contains too much."""
    return float(lib.clock_cost_ns())


def syscall_cost() -> float:
    """Nanoseconds of an empty system call (getppid)."""
    return float(lib.syscall_cost_ns())


def hypervisor() -> str:
    """Twelve-letter CPUID signature of the hypervisor, such as KVMKVMKVM; empty on bare metal and off x86."""
    signature = ffi.new("char[13]")
    lib.hypervisor_signature(signature)
    return bytes(ffi.string(signature)).decode("ascii", "replace")


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, however that happens."""
    check(lib.die_with_parent())


def forgo_huge_pages() -> None:
    """Keep this process, and those it starts, without transparent huge pages: workers stay alike."""
    check(lib.forgo_huge_pages())
