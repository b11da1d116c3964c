# SPDX-License-Identifier: GPL-2.0-only
"""Kinds of memory, how it is made, and how collect asks: the words of core.h, without the core."""

from __future__ import annotations

import os
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
    folio: int = 0  # pages of the folios it consists of, which page table entries map, verified; 0: whatever comes

    @property
    def granule(self) -> int:
        """Pages of which all are reported where one was written, at most: what one entry of a page table maps."""
        return 1 if self.folio else self.unit

    @property
    def order(self) -> int | None:
        """The order of all its folios, where it promises one."""
        return self.folio.bit_length() - 1 if self.folio else None


PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")  # of the running kernel: in a guest, of the guest's
# In a huge page are as many as a page table maps, and an entry has eight bytes: 512 of 4 KiB, 2048 of 16 KiB.
HUGE_PAGES = PAGE_SIZE // 8
FOLIO_PAGE = 4096  # kinds that consist of folios are told by their size in such pages


def _folios(kib: int) -> Kind:
    size = f"{kib} KiB" if kib < 1024 else "1 MiB"
    summary = f"anon in folios of {size} (multi-size THP), verified"
    return Kind("KIND_ANON", False, kib // 4, f"anon memory, folios of {size}", summary, folio=kib // 4)


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
    **{f"anon-{kib}k" if kib < 1024 else "anon-1m": _folios(kib) for kib in (16, 32, 64, 128, 256, 512, 1024)},
    "anon-thp-ptes": Kind(
        "KIND_ANON",
        True,
        HUGE_PAGES,
        "anon memory, THP mapped by PTEs",
        "anon in transparent huge pages, mapped by page table entries, verified",
        folio=HUGE_PAGES,
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


# What is done with the pages that are reported, and its name in core.h.
THEN = {"": "THEN_NOTHING", "copy": "THEN_COPY", "wipe": "THEN_WIPE"}


class Ask(NamedTuple):
    """How collect asks, as in core.h: 0 is the interface's own best, and for read_bytes all in one read.

    scanners: threads that ask at once, each about chunks of its own. every_us: from one interval to the next. trackers:
    that are at work at once, each in a thread of its own on its part. then: one of THEN.
    """

    vec_len: int = 0
    max_pages: int = 0
    read_bytes: int = READ_BYTES
    extra_masks: bool = False
    scanners: int = 1
    every_us: int = 0
    trackers: int = 1
    then: str = ""


USUAL = Ask()
FREE = (0, 0, 0)  # of writers that have no rhythm: how many have one, pages a period, nanoseconds of it


class Layout(NamedTuple):
    """How the memory under test is made. populated: pages, evenly spread, or None for all; watched: the tracked ones.

    outside: make it in a process of its own, on this CPU (-1: on any). targets: in so many processes, which share the
    pages, each on one of `cpus` in turn.
    """

    kind: str = USUAL_KIND
    populate: str = "write"
    populated: int | None = None
    vmas: int = 1
    watched: int | None = None
    directory: str = DIRECTORY
    outside: int | None = None
    targets: int = 1
    cpus: tuple[int, ...] = (-1,)


ANON = Layout()
