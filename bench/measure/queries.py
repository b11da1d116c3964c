# SPDX-License-Identifier: GPL-2.0-only
"""Questions to PAGEMAP_SCAN in the words of who asks them: masks, flags, buffers and limits, call by call."""

from __future__ import annotations

import os
from mmap import MAP_PRIVATE, PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING, NamedTuple

from bench.measure.core import check, ffi, lib
from bench.measure.memory import MAP_FIXED, NotPossible, Pages
from bench.plan import interfaces

if TYPE_CHECKING:
    from bench.measure.stage import Stage

# Categories and flags: include/uapi/linux/fs.h, Linux 6.7; SOFT_DIRTY 6.8, e6a9a2cbc13b.
WRITTEN, FILE, PRESENT, SWAPPED, PFNZERO, HUGE, SOFT_DIRTY = (1 << bit for bit in range(1, 8))
ACCESSED = 1 << 9  # Linux 7.3
_PROTECT, _CHECKED = 1, 2
PROTECTED = 1 << 57  # of a pagemap entry: the userfaultfd write-protect bit, Linux 5.13

FAILED_CALL = "no document says what a call that fails has done before"
UNREGISTERED = "PAGE_IS_WRITTEN is documented for memory registered with userfaultfd alone (pagemap.rst)"


class Query(NamedTuple):
    """What is asked. `protect`: PM_SCAN_WP_MATCHING; `checked`: PM_SCAN_CHECK_WPASYNC; `room`: vec_len."""

    all: int = 0  # category_mask
    anyof: int = 0
    inverted: int = 0
    returned: int = 0
    room: int = 512
    max_pages: int = 0
    protect: bool = False
    checked: bool = True


class Answer(NamedTuple):
    """What one call said: ranges as (start, end, categories) in addresses, and where the walk stopped."""

    ranges: list[tuple[int, int, int]]
    stopped: int
    error: int = 0  # an errno

    def pages(self, category: int = 0) -> list[tuple[int, int]]:
        """The ranges that have a category, of all if none is named."""
        return [(start, end) for start, end, found in self.ranges if not category or found & category]


# Of the kernel: category_mask = return_mask = WRITTEN is its fast path. True: the general one.
_PATHS = {
    False: Query(all=WRITTEN, returned=WRITTEN),
    True: Query(anyof=WRITTEN, returned=WRITTEN | FILE | PRESENT | SWAPPED),
}


class Asker:
    """Who asks PAGEMAP_SCAN by itself, beside the interface: what that is about must be what is asked for.

    `written` is the question for written pages by the interface's own path through the kernel. own: the question is in
    the words of one caller, and takes its one path.
    """

    def __init__(self, stage: Stage, *, soft_dirty: bool = False, own: bool = False, accessed: bool = False) -> None:
        row = stage.interface
        fits, what = (row.soft_dirty, "soft-dirty bits") if soft_dirty else (row.wp_async, "write protection")
        if accessed:
            fits, what = row.prop == interfaces.ACCESSED and row.uffd and row.kernel_writes, "RWP"
        if not fits:
            raise NotPossible(f"the question is one to PAGEMAP_SCAN about {what}")
        if own and stage.interface.path_of:
            raise NotPossible(f"the question has one path through the kernel: see {stage.interface.path_of}")
        self.written = _PATHS[bool(stage.interface.path_of)]

    def ask(self, query: Query, pages: Pages, *, buffer: int | None = None, length: int | None = None) -> Answer:
        """Ask once about pages, or the first `length` bytes of them. buffer: where the ranges go; 0: nowhere."""
        room = ffi.new("struct range[]", max(query.room, 1)) if buffer is None else ffi.cast("struct range *", buffer)
        asked = ffi.new("struct asked *")
        asked.flags = _PROTECT * query.protect | _CHECKED * query.checked
        asked.start = pages.address
        asked.end = pages.address + (pages.length if length is None else length)
        asked.ranges, asked.room = int(ffi.cast("uintptr_t", room)), query.room
        asked.all, asked.anyof, asked.inverted, asked.returned = query[:4]
        asked.max_pages = query.max_pages
        pagemap = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        try:
            count = lib.query_once(pagemap, asked)
        finally:
            os.close(pagemap)
        stopped = int(asked.stopped)
        if count < 0:
            return Answer([], stopped, -count)
        return Answer([(r.start, r.end, r.categories) for r in room[0:count]], stopped)

    def must(self, query: Query, pages: Pages, *, length: int | None = None) -> Answer:
        """Ask once. Raises OSError for a refusal, as trackers do."""
        answer = self.ask(query, pages, length=length)
        if answer.error:
            raise OSError(answer.error, os.strerror(answer.error), "ioctl(PAGEMAP_SCAN)")
        return answer

    def walk(self, query: Query, pages: Pages) -> Answer:
        """Ask, and again from where the walk stopped until it stops at the end: what all answers say together."""
        found, end = [], pages.address + pages.length
        while pages.count:
            answer = self.must(query, pages)
            found += answer.ranges
            if answer.stopped <= pages.address:  # a walk that stops where it began never ends
                break
            pages = pages[(answer.stopped - pages.address) // pages.size :]
        return Answer(found, end - pages.length)


def refused(answer: Answer, error: int) -> None:
    """Go on after a refusal that is expected, or after none, which is judged as such. Raises OSError for others."""
    if answer.error not in (0, error):
        raise OSError(answer.error, os.strerror(answer.error), "ioctl(PAGEMAP_SCAN)")


def copies_of(stage: Stage, fd: int, count: int) -> Pages:
    """Map a file privately, as a snapshot that a machine is started from: each write makes a page of its own."""
    pages = stage.reserve(count)
    check(min(0, lib.stage_mmap(pages.address, pages.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd)))
    return pages
