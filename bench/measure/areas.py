# SPDX-License-Identifier: GPL-2.0-only
"""What scenarios do to whole areas of memory: back them with huge pages, move, lock, populate, drop them."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from functools import partial
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE, mmap

from bench.measure.accesses import Accesses
from bench.measure.core import check, lib
from bench.measure.memory import (
    ADVICE,
    MADV_DONTNEED,
    MADV_FREE,
    MADV_HUGEPAGE,
    MADV_PAGEOUT,
    MADV_POPULATE_READ,
    MADV_POPULATE_WRITE,
    MAP_FIXED,
    PRESENT,
    SWAPPED,
    TABLE,
    NotPossible,
    Pages,
    View,
    entries,
)

MAP_HUGETLB = 0x40000  # include/uapi/asm-generic/mman-common.h


class Areas(Accesses):
    """Everything a scenario can do to a whole area."""

    def map_huge(self) -> Pages:
        """Map one transparent huge page, written; its pages are the small ones."""
        pages = self.map(TABLE, populate=False)
        self.allow_huge(pages)
        self._write(pages)
        if View(pages).huge_kib() << 10 != pages.length:
            raise NotPossible(
                "the kernel gave no transparent huge page", "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
            )
        return pages

    def map_hugetlb(self, count: int, *, populate: bool = True, backing: int = -1) -> Pages:
        """Map so many huge pages of hugetlb memory: private, or of a file of hugetlb_file.

        Not populated: where there is no page table either.
        """
        pages = self.reserve(count, TABLE * self.page_size, alone=not populate)
        kind = MAP_SHARED if backing >= 0 else MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB
        if lib.stage_mmap(pages.address, pages.length, PROT_READ | PROT_WRITE, kind | MAP_FIXED, backing) < 0:
            raise _no_hugetlb()
        if populate:
            self._write(pages)
        return pages

    def hugetlb_file(self, count: int) -> int:
        """Return a file of so many huge pages."""
        try:
            made = os.memfd_create("scenario", os.MFD_HUGETLB)
        except OSError:
            raise _no_hugetlb() from None
        return self._sized(made, count * TABLE)

    def mremap(self, pages: Pages, to: Pages) -> None:
        """Move; the tracked range moves along. What is at the new addresses is new there: see move_soft_dirty_pte()."""
        self._program("mremap", partial(lib.stage_mremap, pages.address, pages.length, to.address))
        self._reserve_again(pages)
        self.moved(pages, to)
        self.changed(to)

    def move_pages(self, pages: Pages, to: Pages) -> None:
        """Move the pages by MREMAP_DONTUNMAP: the old addresses stay mapped and tracked, and read as zero."""
        check(lib.stage_move_pages(pages.address, pages.length, to.address))
        self.dropped(pages)

    def shrink_grow(self, pages: Pages, count: int) -> None:
        """Shrink a mapping to so many pages by mremap, in place, and let it grow again: the rest is new."""
        shrunk = pages[:count].length
        self._program("mremap", lambda: lib.stage_shrink_grow(pages.address, pages.length, shrunk))
        self.changed(pages[count:])

    def allow_huge(self, pages: Pages) -> None:
        """Let the kernel back pages with huge ones, though workers are forbidden them."""
        check(lib.stage_allow_huge_pages())
        with suppress(NotPossible):  # a kernel without THP: whoever wants one finds out
            self.madvise(pages, MADV_HUGEPAGE)

    def mlock(self, pages: Pages) -> None:
        """Lock pages into memory; unmapping unlocks them."""
        # __mlock_posix_error_return() makes ENOMEM of EFAULT; the limit, which says so too, has room for these pages
        self._program("mlock", lambda: lib.stage_mlock(pages.address, pages.length), errno.ENOMEM)

    def populate_write(self, pages: Pages) -> None:
        """MADV_POPULATE_WRITE."""
        self._populate(pages, MADV_POPULATE_WRITE)

    def populate_read(self, pages: Pages) -> None:
        """MADV_POPULATE_READ."""
        self._populate(pages, MADV_POPULATE_READ)

    def _populate(self, pages: Pages, advice: int) -> None:
        """EINVAL is for memory that is not writable, or readable, which is the interface's doing."""
        call = partial(lib.stage_madvise, pages.address, pages.length, advice)
        self._program(f"madvise({ADVICE[advice]})", call, errno.EINVAL)

    def drop(self, pages: Pages, advice: int = MADV_DONTNEED) -> None:
        """Give pages back by madvise: MADV_DONTNEED of private memory, MADV_REMOVE of shared memory; they are zero."""
        self.madvise(pages, advice)
        self.dropped(pages)

    def punch(self, backing: int, pages: Pages, first: int) -> None:
        """Punch a hole into a file: at its page `first`, of which and the next ones `pages` are the mapping."""
        self._program("fallocate", lambda: lib.stage_punch(backing, first * pages.size, pages.length))
        self.dropped(pages)

    def truncate(self, backing: int, mapping: Pages, count: int) -> None:
        """Truncate the file of a mapping to so many pages, and let it grow to what it was."""
        os.ftruncate(backing, mapping[:count].length)
        os.ftruncate(backing, mapping.length)
        self.dropped(mapping[count:])

    def dropped(self, pages: Pages) -> None:
        """Take note that pages have lost their content, by a call and not by a write."""

    def _settle(self) -> None:
        """Have each CPU put the pages it just made, or was told to free, on the kernel's lists.

        Until then they wait in a batch of that CPU, and are neither freed nor swapped; MADV_PAGEOUT empties that of the
        CPU it runs on first (lru_add_drain(), mm/madvise.c). Shared memory, since that merges with no scenario's.
        """
        cpus = os.sched_getaffinity(0)
        with mmap(-1, os.sysconf("SC_PAGE_SIZE")) as other:
            try:
                for cpu in sorted(cpus):
                    os.sched_setaffinity(0, {cpu})
                    other.madvise(MADV_PAGEOUT)
            finally:
                os.sched_setaffinity(0, cpus)

    def discard(self, pages: Pages) -> None:
        """Free pages by MADV_FREE, and have the kernel take them: it needs no swap for that."""
        for advice in (MADV_FREE, MADV_PAGEOUT):
            self._settle()
            self.madvise(pages, advice)
        if any(entry & (PRESENT | SWAPPED) for entry in entries(pages)):
            raise NotPossible("the kernel did not take the freed pages")
        self.dropped(pages)


def _no_hugetlb() -> NotPossible:
    return NotPossible("no hugetlb pages are reserved", "echo 4 > /proc/sys/vm/nr_hugepages")
