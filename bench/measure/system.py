# SPDX-License-Identifier: GPL-2.0-only
"""What scenarios have the kernel do to pages by itself: merge, move, collapse and swap them; and large folios."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from mmap import PROT_READ, PROT_WRITE

from bench.measure.core import check, lib
from bench.measure.memory import (
    MADV_COLLAPSE,
    MADV_PAGEOUT,
    PRESENT,
    PROT_NONE,
    TABLE,
    NotPossible,
    Pages,
    View,
    entries,
)
from bench.measure.probe import OURS
from bench.measure.special import Special

MADV_MERGEABLE, MADV_UNMERGEABLE = 12, 13
MM, SCHED = "/sys/kernel/mm", "/sys/kernel/debug/sched/numa_balancing"
THP = f"{MM}/transparent_hugepage"
PFN = (1 << 55) - 1
_WAIT_SECONDS = 8.0  # for the kernel to do in the background what it was asked for
_LOOK_SECONDS = 0.002
_PASSES = 3  # of khugepaged; it may be amid one


class System(Special):
    """What a scenario can ask the kernel to do by itself."""

    @contextmanager
    def _set(self, settings: dict[str, str], pace: dict[str, str] | None = None) -> Iterator[None]:
        """Have system-wide settings for a while. On a machine that is not ours they must be so already.

        pace: settings that only make the kernel faster at it, and are left as they are on other machines.
        """
        with ExitStack() as restored:
            for path, value in (settings | (pace or {} if OURS in os.environ else {})).items():
                before = _setting(path)
                if before != value:
                    if OURS not in os.environ:
                        raise NotPossible(f"{path} is {before}", f"echo {value} > {path}")
                    _write_setting(path, value)
                    restored.callback(_write_setting, path, before)
            yield

    def _wait(self, until: Callable[[], bool], why_not: str, pause: float = _LOOK_SECONDS) -> None:
        end = time.monotonic() + _WAIT_SECONDS
        while not until():
            if time.monotonic() > end:
                raise NotPossible(f"{why_not} within {_WAIT_SECONDS:.0f} s", "play it on a quieter machine")
            time.sleep(pause)

    def _frames(self, pages: Pages) -> list[int]:
        """Where each page is in physical memory."""
        found = [entry & PFN for entry in entries(pages)]
        if not any(found):
            raise NotPossible("page frame numbers are hidden from this user", "run it as root")
        return found

    def merge_equal(self, pages: Pages) -> None:
        """Have KSM merge all pages, which have the same content, into one; then it rests again."""
        self._advise(pages, MADV_MERGEABLE, "KSM")
        pace = {f"{MM}/ksm/pages_to_scan": "1000", f"{MM}/ksm/sleep_millisecs": "1"}
        with self._set({f"{MM}/ksm/run": "1"}, pace):
            self._wait(lambda: len(set(self._frames(pages))) == 1, "KSM did not merge the pages")

    def unmerge(self, pages: Pages) -> None:
        """Give each page a copy of its own again (MADV_UNMERGEABLE)."""
        self._advise(pages, MADV_UNMERGEABLE, "KSM")

    def _advise(self, pages: Pages, advice: int, what: str) -> None:
        try:
            check(lib.stage_madvise(pages.address, pages.length, advice))
        except OSError as error:
            raise NotPossible(f"the kernel has no {what} for this memory: {error.strerror}") from None

    def move_to_node(self, pages: Pages, node: int) -> None:
        """Move pages to a NUMA node (move_pages(2))."""
        if not os.path.exists("/sys/devices/system/node/node1"):
            raise NotPossible("there is one NUMA node only", "boot with numa=fake=2")
        for page in pages:  # one that is busy stays where it is
            self._wait(partial(self._is_on, page, node), f"the kernel did not move the pages to NUMA node {node}")

    def _is_on(self, page: Pages, node: int) -> bool:
        """Move a page to a node, and say whether it is there; one that is busy, or on its way, is not."""
        where = lib.system_move_page(page.address, node)
        if where < 0 and -where not in (errno.EBUSY, errno.ENOENT, errno.EAGAIN):
            check(where)
        return bool(where == node)

    def balance(self, pages: Pages) -> None:
        """Read pages that are on another node than we are, until NUMA balancing has brought them here."""

        def here() -> bool:
            self.read(pages)
            # a page on its way has none (ENOENT)
            return all(lib.system_move_page(page.address, -1) == 0 for page in pages)

        with self._set({"/proc/sys/kernel/numa_balancing": "1"}):
            # it looks at who has run for so long, which who sleeps has not: task_tick_numa() in kernel/sched/fair.c
            self._wait(here, "NUMA balancing did not move the pages", pause=0)

    def collapse_in_background(self, pages: Pages) -> None:
        """Wait until khugepaged has made one huge page of them, or has passed and left them as they are."""
        self.allow_huge(pages)
        if self._areas(pages) > 1:  # an area smaller than a huge page is nothing to khugepaged
            return
        passed = f"{THP}/khugepaged/full_scans"
        often = {f"{THP}/khugepaged/scan_sleep_millisecs": "1"}  # and not every 10 s
        with self._set(often, {f"{THP}/khugepaged/pages_to_scan": "4096"}):
            last = _number(passed) + _PASSES
            self._wait(
                lambda: View(pages).huge_kib() << 10 == pages.length or _number(passed) >= last,
                "khugepaged did not pass",
            )

    @staticmethod
    def _areas(pages: Pages) -> int:
        with open("/proc/self/maps", "rb") as maps:  # names of files may be no text
            areas = [line.split()[0].split(b"-") for line in maps]
        end = pages.address + pages.length
        return sum(int(first, 16) < end and int(last, 16) > pages.address for first, last in areas)

    def collapse(self, pages: Pages) -> None:
        """Have the kernel make one huge page of them; what must stay as it is, it leaves (EINVAL)."""
        self.allow_huge(pages)
        status = lib.stage_madvise(pages.address, pages.length, MADV_COLLAPSE)
        if status and not View(pages).huge_kib() and -status != errno.EINVAL:
            raise NotPossible(f"madvise(MADV_COLLAPSE) fails: {os.strerror(-status)}")

    def map_folio(self, kib: int) -> Pages:
        """Map and write one multi-size huge page of that size; of one page's size: an ordinary page's worth of them.

        The kernel's own counter says that it was one. With 4: 16 pages of order 0, as a control.
        """
        count = kib * 1024 // self.page_size
        if count == 1:
            return self.map(16)
        size = f"{THP}/hugepages-{kib}kB"
        if not os.path.exists(size):
            raise NotPossible("the kernel has no multi-size huge pages (Linux 6.8)")
        pages = self.map(count, populate=False)
        counter = f"{size}/stats/anon_fault_alloc"
        if not os.path.exists(counter):
            raise NotPossible("the kernel does not count multi-size huge pages (Linux 6.10)")
        with self._set({f"{size}/enabled": "madvise"}):
            self.allow_huge(pages)
            before = _number(counter)
            self._write(pages[0])
            given = _number(counter) - before
        if given != 1 or not all(entry & PRESENT for entry in entries(pages)):
            raise NotPossible(f"the kernel gave no huge page of {kib} KiB")
        self._write(pages)
        return pages

    def map_huge_by_ptes(self) -> Pages:
        """Map one huge page of 2 MiB by page table entries: protecting a part splits the mapping alone."""
        pages = self.map_huge()
        before = self._frames(pages)
        self.mprotect(pages[:1], PROT_NONE)
        self.mprotect(pages[:1], PROT_READ | PROT_WRITE)
        if View(pages).huge_kib() or self._frames(pages) != before:
            raise NotPossible("the kernel did not keep the huge page")
        return pages

    def map_shmem_huge(self) -> Pages:
        """Map and write one huge page of shared memory."""
        with self._set({f"{THP}/shmem_enabled": "advise"}):
            pages = self.map(TABLE, populate=False, backing=self.memfd(TABLE))
            self.allow_huge(pages)
            self._write(pages)
        if View(pages).huge_kib() << 10 != pages.length:
            raise NotPossible("the kernel gave no transparent huge page", f"echo advise > {THP}/shmem_enabled")
        return pages

    def map_huge_zero(self) -> Pages:
        """Map memory of one huge page that was only read: the huge zero page."""
        pages = self.map(TABLE, populate=False)
        self.allow_huge(pages)
        self.read(pages[0])
        if not all(entry & PRESENT for entry in entries(pages)):
            raise NotPossible("the kernel gave no huge zero page", f"echo 1 > {THP}/use_zero_page")
        return pages

    def page_out(self, pages: Pages) -> None:
        """Have the kernel write pages to swap, private or shared, and drop them from the page table."""

        def out() -> bool:
            self._settle()
            self.madvise(pages, MADV_PAGEOUT)
            return not any(entry & PRESENT for entry in entries(pages))

        with open("/proc/swaps") as swaps:
            if len(swaps.readlines()) < 2:
                raise NotPossible(
                    "there is no swap", "swapon a device or file; a guest's kernel needs CONFIG_BLK_DEV_NVME=y"
                )
        self._wait(out, "the kernel did not swap the pages out")


def _setting(path: str) -> str:
    """Return what a setting is: of several words the one in brackets."""
    try:
        with open(path) as file:
            text = file.read().strip()
    except OSError as error:
        raise NotPossible(f"{path} can't be read: {error.strerror}") from None
    chosen = re.search(r"\[(\w+)\]", text)
    return chosen[1] if chosen else text


def _write_setting(path: str, value: str) -> None:
    with open(path, "w") as file:
        file.write(value)


def _number(path: str) -> int:
    with open(path) as file:
        return int(file.read())
