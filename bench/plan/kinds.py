# SPDX-License-Identifier: GPL-2.0-only
"""Kinds of memory, how it is made, and how collect asks: the words of core.h, without the core."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """What backs a mapping.

    `number`: its name in core.h's enum kind; `huge`: transparent huge pages wanted; `unit`: pages that sizes are
    multiples of; `tables` says it in titles.
    """

    number: str
    huge: bool
    unit: int
    tables: str
    summary: str
    file: bool = False  # it lies in a file of --directory
    soft_dirty: bool = True  # False: clear_refs skips it, and no write to it becomes soft-dirty


HUGE_PAGES = 512  # of 4 KiB, in a huge page
KINDS = {
    "anon": Kind("KIND_ANON", False, 1, "anon memory, 4 KiB pages, THP off", "private anonymous memory"),
    "anon-thp": Kind("KIND_ANON", True, HUGE_PAGES, "anon memory, THP on", "anon in transparent huge pages, verified"),
    "shmem": Kind("KIND_SHMEM", False, 1, "shmem (memfd), 4 KiB pages, THP off", "shared memory of a memfd"),
    "shmem-thp": Kind(
        "KIND_SHMEM", True, HUGE_PAGES, "shmem (memfd), THP on", "shmem in transparent huge pages, verified"
    ),
    "file-shared": Kind("KIND_FILE_SHARED", False, 1, "shared file", "MAP_SHARED of a file in --directory", True),
    "file-private": Kind("KIND_FILE_PRIVATE", False, 1, "private file", "MAP_PRIVATE of a file in --directory", True),
    "hugetlb": Kind(
        "KIND_HUGETLB",
        False,
        HUGE_PAGES,
        "hugetlb, 2 MiB pages",
        "huge pages of 2 MiB that you have reserved",
        soft_dirty=False,
    ),
}
USUAL_KIND = next(iter(KINDS))  # named nowhere where nothing else is
POPULATE = {
    "write": "POPULATE_WRITE",
    "read": "POPULATE_READ",
    "madvise-read": "POPULATE_MADVISE_READ",
    "none": "POPULATE_NONE",
}
DIRECTORY = "/dev/shm"  # noqa: S108  (where file mappings are made unless another is given: a tmpfs)
READ_BYTES = 65536  # of pagemap entries: large enough to hide the system call, small enough for the L2 cache


class Ask(NamedTuple):
    """How collect asks, as in core.h: 0 is the interface's own best, and for read_bytes all in one read.

    scanners: threads that ask at once, each about chunks of its own. every_us: from one interval to the next.
    """

    vec_len: int = 0
    max_pages: int = 0
    read_bytes: int = READ_BYTES
    extra_masks: bool = False
    scanners: int = 1
    every_us: int = 0


USUAL = Ask()


class Layout(NamedTuple):
    """How the memory under test is made. populated: pages, evenly spread, or None for all; watched: the tracked ones.

    outside: make it in a process of its own, on this CPU (-1: on any).
    """

    kind: str = USUAL_KIND
    populate: str = "write"
    populated: int | None = None
    vmas: int = 1
    watched: int | None = None
    directory: str = DIRECTORY
    outside: int | None = None


ANON = Layout()
