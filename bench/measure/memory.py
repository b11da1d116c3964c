# SPDX-License-Identifier: GPL-2.0-only
"""Memory that scenarios map, split, share, read and write; what happened is told to who keeps the truth."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE
from typing import ClassVar

from bench.errors import WorkerFailed
from bench.measure.core import Mapping, check, die_with_parent, ffi, lib
from bench.measure.timing import file_system
from bench.plan.interfaces import Reason
from bench.plan.kinds import HUGE_PAGES

PROT_NONE = 0
MAP_FIXED, MAP_NORESERVE = 0x10, 0x4000  # include/uapi/asm-generic/mman*.h
MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_HUGEPAGE, MADV_NOHUGEPAGE = 4, 8, 9, 14, 15
MADV_COLD, MADV_PAGEOUT = 20, 21
MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_COLLAPSE = 22, 23, 25
MADV_GUARD_INSTALL, MADV_GUARD_REMOVE = 102, 103
ADVICE = {value: name for name, value in globals().items() if name.startswith("MADV_")}
TABLE = HUGE_PAGES  # pages that one page table maps
_FLUSHES = 64  # pages: x86's TLB is flushed as a whole for more than 33 (tlb_single_page_flush_ceiling)
PRESENT, SWAPPED = 1 << 63, 1 << 62  # of a pagemap entry
FILE_FOLDERS = ("/var/tmp", ".")  # noqa: S108  (nobody sees the file: O_TMPFILE)


class NotPossible(Exception):
    """The scenario can't be played with this interface, or on this kernel or machine; the reason says why."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.reason = Reason(why, remedy)


class Breaks(Exception):
    """A call of the tracked program fails because the interface tracks its memory."""


class Pages:
    """A range of pages; `pages[2:4]` and `pages[3]` are parts of it. Pages of a hugetlb mapping are huge."""

    def __init__(self, address: int, count: int, size: int) -> None:
        self.address, self.count, self.size = address, count, size

    def __getitem__(self, which: int | slice) -> Pages:
        first, end, _ = (slice(which, which + 1) if isinstance(which, int) else which).indices(self.count)
        return Pages(self.address + first * self.size, end - first, self.size)

    def __iter__(self) -> Iterator[Pages]:
        return (self[i] for i in range(self.count))

    def small(self, size: int) -> Pages:
        """Return the same addresses in pages of `size` bytes."""
        return Pages(self.address, self.length // size, size)

    @property
    def length(self) -> int:
        """In bytes."""
        return self.count * self.size


def entries(pages: Pages) -> list[int]:
    """What /proc/self/pagemap says of each page; of a huge one, of each small page of it."""
    size = os.sysconf("SC_PAGE_SIZE")
    with open("/proc/self/pagemap", "rb") as pagemap:
        pagemap.seek(pages.address // size * 8)
        return memoryview(pagemap.read(8 * pages.length // size)).cast("Q").tolist()


class View(Mapping):
    """The mapping that an interface is opened on: any range of addresses, which somebody else frees."""

    def __init__(self, pages: Pages) -> None:
        self.struct = ffi.new("struct mapping *")
        self.page_size = os.sysconf("SC_PAGE_SIZE")
        self.struct.page_size = self.page_size
        self.struct.granule, self.struct.unit, self.struct.vmas = pages.size // self.page_size, 1, 1
        self.aim(pages)

    def aim(self, pages: Pages) -> None:
        """Look at these pages: not more than there were when the interface was opened."""
        self.first, self.pages = pages.address, pages.length // self.page_size
        self.struct.base, self.struct.pages = ffi.cast("uint8_t *", pages.address), self.pages
        self.struct.watched = self.pages


class Child:
    """A forked child: does what it is told, an order of numbers at a time, until it is closed."""

    _asked: ClassVar[set[int]] = set()  # whose end tells a child to leave: a sibling must not keep it open

    def __init__(self, do: Callable[..., int]) -> None:
        told, self._tell = os.pipe()
        self._said, say = os.pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if not self._pid:
            try:
                die_with_parent(parent)
                for inherited in (self._tell, *self._asked):
                    os.close(inherited)
                while order := os.read(told, 128):
                    os.write(say, b"%d\n" % do(*map(int, order.split())))
            finally:
                os._exit(0)
        os.close(told)
        os.close(say)
        self._asked.add(self._tell)

    def ask(self, *order: int) -> int:
        """Have it do something; return what that returns."""
        os.write(self._tell, " ".join(map(str, order)).encode())
        if not (said := os.read(self._said, 32)):
            raise WorkerFailed("a child of the scenario died", "the kernel's log may say why")
        return int(said)

    def close(self) -> None:
        """End it, if that wasn't done before."""
        if self._pid:
            self._asked.remove(self._tell)
            os.close(self._tell)
            os.close(self._said)
            os.waitpid(self._pid, 0)
            self._pid = 0


class Copy(Child):
    """Has a copy of the memory, as any forked child."""

    def __init__(self) -> None:
        super().__init__(self._do)

    @staticmethod
    def _do(write: int, address: int, count: int, size: int) -> int:
        if write:
            lib.stage_write(address, count, size, 251)
        else:
            lib.stage_read(address, count, size)
        return 0

    def write(self, pages: Pages) -> None:
        """Write a byte to each page of the child's copy; return when that is done."""
        self.ask(1, pages.address, pages.count, pages.size)

    def read(self, pages: Pages) -> None:
        """Read a byte of each page of the child's copy; return when that is done."""
        self.ask(0, pages.address, pages.count, pages.size)


class Memory:
    """Everything a scenario can do to memory. Gives all of it back when closed."""

    def __init__(self) -> None:
        self.page_size = os.sysconf("SC_PAGE_SIZE")
        self._held = ExitStack()
        self._value = 0  # written last, never 0: what was zero differs

    def close(self) -> None:
        """End children, unmap, close files."""
        self._held.close()

    def changed(self, pages: Pages) -> None:
        """Take note that these pages have another content than before."""

    def accessed(self, pages: Pages) -> None:
        """Take note that the program, or the kernel for it, has read or written these pages."""

    def moved(self, pages: Pages, to: Pages) -> None:
        """Take note that pages are elsewhere."""

    def _address(self, result: int) -> int:
        check(min(result, 0))
        return result

    def reserve(self, count: int, size: int = 0, *, alone: bool = False) -> Pages:
        """Return addresses of `count` pages, aligned to what a page table maps, PROT_NONE, with PROT_NONE around them.

        alone: in gigabytes of their own, so that nobody else has made the kernel build page tables there.
        """
        size = size or self.page_size
        unit = (TABLE if alone else 1) * TABLE * self.page_size
        length = -(-count * size // unit) * unit + 2 * unit
        flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        area = self._address(lib.stage_mmap(0, length, PROT_NONE, flags, -1))
        self._held.callback(lib.stage_munmap, area, length)
        return Pages((area + unit) // unit * unit, count, size)

    def map(
        self,
        where: int | Pages,
        *,
        protection: int = PROT_READ | PROT_WRITE,
        populate: bool = True,
        backing: int = -1,
        private: bool = False,
    ) -> Pages:
        """Map that many pages, or those addresses: private anonymous memory without huge pages, or a file.

        Inside the tracked range the old content is gone, so all of it counts as changed.
        """
        pages = self.reserve(where) if isinstance(where, int) else where
        flags = MAP_FIXED | (MAP_PRIVATE if private or backing < 0 else MAP_SHARED) | MAP_ANONYMOUS * (backing < 0)
        self._address(lib.stage_mmap(pages.address, pages.length, protection, flags, backing))
        self.changed(pages)
        if populate and protection & PROT_WRITE:
            self._write(pages)
            self.accessed(pages)
        return pages

    def grow_heap(self, count: int) -> Pages:
        """Grow the heap by that many pages (brk) and return them."""
        lib.stage_sbrk(-lib.stage_sbrk(0) % self.page_size)
        pages = Pages(self._address(lib.stage_sbrk(count * self.page_size)), count, self.page_size)
        self._held.callback(self._shrink_heap, pages)
        self._write(pages)
        return pages

    def _shrink_heap(self, pages: Pages) -> None:
        if lib.stage_sbrk(0) == pages.address + pages.length:  # else malloc has grown it further
            lib.stage_sbrk(-pages.length)

    def munmap(self, pages: Pages) -> None:
        """Unmap; the addresses stay free of others by the reservation's PROT_NONE."""
        check(lib.stage_munmap(pages.address, pages.length))
        self._reserve_again(pages)

    def _reserve_again(self, pages: Pages) -> None:
        """Keep the C library's own mappings out of a hole that close() unmaps."""
        flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
        self._address(lib.stage_mmap(pages.address, pages.length, PROT_NONE, flags, -1))

    def mprotect(self, pages: Pages, protection: int) -> None:
        """Change the protection: PROT_NONE, PROT_READ, or PROT_READ | PROT_WRITE."""
        check(lib.stage_mprotect(pages.address, pages.length, protection))

    def madvise(self, pages: Pages, advice: int) -> None:
        """Advise; what that changes, the scenario says."""
        self._program(f"madvise({ADVICE[advice]})", lambda: lib.stage_madvise(pages.address, pages.length, advice))

    def memfd(self, count: int) -> int:
        """Return a file in shared memory (shmem)."""
        return self._sized(os.memfd_create("scenario"), count)

    def file(self, count: int, flags: int = 0) -> int:
        """Return a nameless regular file that is no shmem, filled with data."""
        why = "there is no file system for files but tmpfs"
        for folder in FILE_FOLDERS:
            if file_system(folder) in ("tmpfs", "rootfs"):
                continue
            try:
                made = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
                self._held.callback(os.close, made)
                os.write(made, bytes([251]) * count * self.page_size)
                os.fsync(made)
                return self._sized(os.open(f"/proc/self/fd/{made}", os.O_RDWR | flags), count)
            except OSError as error:
                why = f"the file system of {folder} refuses the file: {error.strerror}"
        raise NotPossible(why, f"mount a file system on {FILE_FOLDERS[0]}")

    def _sized(self, fd: int, count: int) -> int:
        self._held.callback(os.close, fd)
        os.ftruncate(fd, count * self.page_size)
        return fd

    def write(self, pages: Pages) -> None:
        """Write a byte to each page."""
        self._write(pages)
        self.changed(pages)
        self.accessed(pages)

    def _write(self, pages: Pages) -> None:
        self._value = self._value % 250 + 1
        lib.stage_write(pages.address, pages.count, pages.size, self._value)

    def read(self, pages: Pages) -> None:
        """Read a byte of each page."""
        lib.stage_read(pages.address, pages.count, pages.size)
        self.accessed(pages)

    def _drop_tlb(self) -> None:
        """Have the CPU forget the entries of page tables that it keeps: by a change of more than it flushes singly."""
        length = _FLUSHES * self.page_size
        address = self._address(lib.stage_mmap(0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1))
        lib.stage_write(address, _FLUSHES, self.page_size, 1)
        check(lib.stage_mprotect(address, length, PROT_READ))
        check(lib.stage_munmap(address, length))

    def _program(self, what: str, call: Callable[[], int | None], *meant: int) -> None:
        """Make a call that the tracked program makes: if EFAULT, or what it means there as well, ends it, it breaks."""
        try:
            check(call() or 0)
        except OSError as error:
            why = f"{what} fails: {error.strerror}"
            raise (Breaks(why) if error.errno in (errno.EFAULT, *meant) else NotPossible(why)) from None

    def fork(self) -> Copy:
        """Fork a child, which can write to its copy of the memory until the play is over."""
        child = Copy()
        self._held.callback(child.close)
        return child
