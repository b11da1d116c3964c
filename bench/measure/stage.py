# SPDX-License-Identifier: GPL-2.0-only
"""What a scenario plays on: memory, one interface that tracks a range of it, and the truth about what was written."""

from __future__ import annotations

import os
from collections.abc import Iterable

from bench.errors import WorkerFailed
from bench.measure.core import Tracker, check, ffi, lib
from bench.measure.memory import NotPossible, Pages, View
from bench.measure.system import System
from bench.plan.interfaces import ACCESSED, WRITTEN, Interface
from bench.plan.records import Plays

ROUNDS, ROUNDS_ELSEWHERE = 20, 5  # of one play; waiting for another CPU takes its time
WRITERS = 2
RACES = 50  # at most, of one play
EXPANDED = "soft-dirty.rst: the kernel always marks new memory regions (and expanded regions) as soft dirty"
UNMAPPED = "userfaultfd.rst: when an area is unmapped or moves, the userfaultfd context disappears; so does mprotect's"
ONE_ENTRY = "an entry of the page table has one accessed bit and one protection, that of a huge page too"
SAMPLED = "damon/design.rst: one page of a region is looked at, and all of it is taken to be alike"
FILLED = "userfaultfd.rst: accesses to unpopulated addresses fall through to the normal missing-page path"
ONE_BIT = "soft-dirty has one bit for an entry of the page table, which may be that of a huge page"
DROPPED = "no interface promises to report content that goes away without a write"
FORGOTTEN = "no interface promises to report accesses to a page that is gone since"


class Stage(System):
    """One play of one scenario with one interface. A scenario's `play(stage)` uses what is public here.

    The truth is kept by itself: every page of the tracked range whose content changed since the last reset, by
    `write` and its like or because other memory is there now, or where the interface reports that, every page that was
    read or written; `changed` and `accessed` add what somebody else did. `collect` compares. The contract is the truth,
    except where `may_report` and `may_miss` leave the interface free.
    """

    def __init__(self, interface: Interface) -> None:
        super().__init__()
        self.interface = interface
        self.contract: list[str] = []  # where it differs from the truth, and why
        self._tracker: Tracker | None = None
        self._view: View | None = None
        self._truth: set[int] = set()  # addresses of pages
        self._may_report: set[int] = set()
        self._may_miss: set[int] = set()
        self._gone: set[int] = set()  # what may be missed until it is written
        self._extra = self._missed = self._broken = self._surplus = self._written = self._checks = 0

    def close(self) -> None:
        """End tracking, then all else."""
        if self._tracker:
            self._tracker.close()
        super().close()

    def verdict(self) -> Plays:
        """Return what all checks so far found."""
        if not self._checks:
            raise WorkerFailed("the scenario collected nothing", "its play(stage) must call collect or a race")
        return Plays(1, self._extra, self._missed, self._broken, self._written, surplus=self._surplus)

    def track(self, pages: Pages) -> None:
        """Open the interface on pages. Writes count from the first reset on."""
        self._view = View(pages)
        self._tracker = Tracker(self.interface.name, self._view)
        self._truth.clear()

    def reset_afresh(self) -> None:
        """Reset, and drop TLB entries where that leaves some: what they hide is what accessed_stale_tlb is about."""
        self.reset()
        if not self.interface.flushes:
            self._drop_tlb()

    def reset(self, part: Pages | None = None) -> None:
        """From now on, writes count. With a part: only that part is reset, what was written elsewhere still counts."""
        tracker, view = self._tools()
        if part is None:
            tracker.reset()
            self._truth.clear()
            return
        if not self.interface.parts:
            raise NotPossible("its reset has no smaller unit than all that it tracks")
        whole = Pages(view.first, view.pages, self.page_size)
        view.aim(part)
        tracker.reset()
        view.aim(whole)
        self._truth -= self._addresses(part)

    def protect_all(self) -> None:
        """Reset by a PAGEMAP_SCAN that asks for no category, so that all matches: pages, and where there is none."""
        tracker, _ = self._tools()
        if not self.interface.wp_async:
            raise NotPossible("it has no PAGEMAP_SCAN to reset with")
        if self.interface.path_of:
            raise NotPossible(f"the question has one path through the kernel: see {self.interface.path_of}")
        check(lib.stage_protect_all(tracker.struct))
        self._truth.clear()

    def collect(self) -> None:
        """Compare what is reported with the truth."""
        tracker, view = self._tools()
        ranges = tracker.collect()
        if self.interface.addresses:
            self._judge(ranges, view)
        else:
            self._judge_sum(int(tracker.struct.sum), view)

    def judge(self, pages: Pages, ranges: Iterable[tuple[int, int]]) -> None:
        """Compare ranges of addresses, which a question of the scenario's own was answered with, with the truth."""
        found = [((first - pages.address) // self.page_size, (end - pages.address) // self.page_size)
                 for first, end in ranges]  # fmt: skip
        self._judge(found, View(pages))

    def _judge(self, ranges: list[tuple[int, int]], view: View) -> None:
        seen: set[int] = set()
        outside = 0  # reported twice, or beyond what is tracked
        for first, end in ranges:
            inside = set(range(max(first, 0), min(end, view.pages)))
            outside += end - first - len(inside - seen)
            seen |= inside
        found = {view.first + page * self.page_size for page in seen}
        truth = self._truth & self._addresses(Pages(view.first, view.pages, self.page_size))
        may_miss = self._may_miss | self._gone
        if self.interface.samples:
            self.may_report(Pages(view.first, view.pages, self.page_size), SAMPLED)
            may_miss |= truth
        self.contract += [DROPPED if self.interface.prop == WRITTEN else FORGOTTEN] if truth & self._gone else []
        self._count(found - truth - self._may_report, truth - found - may_miss, broken=True)
        self._count((found - truth) & self._may_report, (truth - found) & may_miss)
        self._extra += outside
        self._broken += outside
        self._surplus += outside
        self._written += len(truth)
        self._checks += 1

    def _judge_sum(self, count: int, view: View) -> None:
        """Compare how many pages are reported with how many there should be: which they are, nobody says."""
        inside = self._addresses(Pages(view.first, view.pages, self.page_size))
        truth = self._truth & inside
        extra, missed = max(count - len(truth), 0), max(len(truth) - count, 0)
        free = (
            min(extra, len(self._may_report & inside - truth)),
            min(missed, len(truth & (self._may_miss | self._gone))),
        )
        self.contract += [FORGOTTEN] if truth & self._gone else []
        self._extra, self._missed = self._extra + extra, self._missed + missed
        self._broken += extra + missed - sum(free)
        self._surplus += extra - free[0]
        self._written += len(truth)
        self._checks += 1

    def _count(self, extra: set[int], missed: set[int], *, broken: bool = False) -> None:
        self._extra += len(extra)
        self._missed += len(missed)
        self._broken += (len(extra) + len(missed)) * broken
        self._surplus += len(extra) * broken

    def changed(self, pages: Pages) -> None:
        """Say that the content of pages changed, where the stage can't know."""
        self._note(WRITTEN, pages)

    def accessed(self, pages: Pages) -> None:
        """Say that pages were read or written, where the stage can't know."""
        self._note(ACCESSED, pages)

    def _note(self, prop: str, pages: Pages) -> None:
        """Something became true of pages: it matters where the interface reports it."""
        if prop == self.interface.prop:
            self._truth |= self._addresses(pages)
            self._gone -= self._addresses(pages)

    def dropped(self, pages: Pages) -> None:
        """Content is gone: that need not be reported, nor accesses before it; what is done afterwards must be."""
        self.changed(pages)
        self._gone |= self._addresses(pages)

    def unchanged(self, pages: Pages) -> None:
        """Say that pages count as they were: whoever tracks knows what happened to them, or nothing happened."""
        self._truth -= self._addresses(pages)

    def may_report(self, pages: Pages, why: str) -> None:
        """Contract: pages may be reported though nothing happened to them: `why` is shown."""
        self._may_report |= self._addresses(pages)
        self.contract.append(why)

    def one_bit(self, pages: Pages) -> None:
        """Contract: of a huge page all small ones may be reported where soft-dirty has one bit for its entry."""
        if self.interface.soft_dirty:
            self.may_report(pages, ONE_BIT)

    def one_entry(self, pages: Pages) -> None:
        """Contract: of a huge page all small ones may be reported as accessed: the CPU has one bit for its entry."""
        self.may_report(pages, ONE_ENTRY)

    def filled(self, pages: Pages) -> None:
        """Contract: RWP protects what is there; of the first access to what is not, no message tells."""
        if self.interface.prop == ACCESSED and self.interface.uffd and not self.interface.kernel_writes:
            self.may_miss(pages, FILLED)

    def expanded(self, pages: Pages) -> None:
        """Contract: an area that the kernel has expanded may be reported as a whole where soft-dirty marks areas."""
        if self.interface.soft_dirty:
            self.may_report(pages, EXPANDED)

    def unmapped(self, pages: Pages) -> None:
        """Contract: a handler loses sight of what is unmapped or moves, and need not know what is new there.

        Not where PAGEMAP_SCAN is to refuse such memory.
        """
        if (self.interface.uffd and not self.interface.wp_async) or not self.interface.kernel_writes:
            self.may_miss(pages, UNMAPPED)

    def may_miss(self, pages: Pages, why: str) -> None:
        """Contract: pages need not be reported though their content changed: `why` is shown."""
        self._may_miss |= self._addresses(pages)
        self.contract.append(why)

    def _addresses(self, pages: Pages) -> set[int]:
        return set(range(pages.address, pages.address + pages.length, self.page_size))

    def moved(self, pages: Pages, to: Pages) -> None:
        """Follow what is tracked, and what was accessed."""
        if self.interface.prop == ACCESSED:
            went = self._truth & self._addresses(pages)
            self._truth = (self._truth - went) | {page - pages.address + to.address for page in went}
        if self._view and self._view.first == pages.address:
            self._view.aim(to)

    def _tools(self) -> tuple[Tracker, View]:
        if not (self._tracker and self._view):
            raise WorkerFailed("the scenario tracks nothing", "its play(stage) must call track first")
        return self._tracker, self._view

    def _tracking_uffd(self) -> int:
        return int(self._tools()[0].struct.uffd) if self.interface.uffd else -1

    def close_uffd(self) -> None:
        """Close the interface's userfaultfd, which ends its registrations; the number stays taken."""
        tracker, _ = self._tools()
        if not self.interface.uffd:
            raise NotPossible("it has no userfaultfd to close")
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, tracker.struct.uffd, inheritable=False)
        os.close(null)

    def rewrite_at_once(self, page: Pages) -> None:
        """Write, reset and write again, in a tight loop on one CPU; the second write must be reported."""
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        missed = ffi.new("uint64_t *")
        check(lib.stage_rewrite(self._tools()[0].struct, page.address, ROUNDS, missed))
        self._lost(missed[0])

    def reread_at_once(self, page: Pages) -> None:
        """Read, reset and read again, in a tight loop on one CPU; the second read must be reported."""
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        missed = ffi.new("uint64_t *")
        check(lib.stage_reread(self._tools()[0].struct, page.address, ROUNDS, missed))
        self._lost(missed[0])

    def switch_modes(self, pages: Pages) -> None:
        """Have a thread read each page once while the userfaultfd changes from async to sync and back."""
        if not (self.interface.prop == ACCESSED and self.interface.uffd and self.interface.kernel_writes):
            raise NotPossible("it has no mode to switch")
        met = ffi.new("uint64_t *")
        check(lib.stage_switch_modes(self._tools()[0].struct, met))
        if not met[0]:
            raise NotPossible("no access met the sync mode", "play it on a quieter machine")
        self.accessed(pages)

    def rewrite_elsewhere(self, page: Pages) -> None:
        """As rewrite_at_once, but a thread on another CPU writes all the time."""
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            raise NotPossible("there is one CPU only")
        missed, seen = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        os.sched_setaffinity(0, {cpus[0]})
        try:
            tracker = self._tools()[0].struct
            check(lib.stage_rewrite_elsewhere(tracker, page.address, ROUNDS_ELSEWHERE, cpus[-1], missed, seen))
        finally:
            os.sched_setaffinity(0, set(cpus))
        if not seen[0]:
            raise NotPossible("the other CPU was not seen to write", "play it on a quieter machine")
        self._lost(missed[0])

    def race_writers(self, *, atomic: bool, may_miss: str = "") -> None:
        """Have threads write each tracked page once during collect_reset (or collect, then reset); count what is lost.

        may_miss: contract, why losing some is no error.
        """
        if atomic and not self.interface.atomic:
            raise NotPossible("it can't collect and reset in one step")
        missed, met = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        for _ in range(RACES):  # until a collect meets a write
            check(lib.stage_writers(self._tools()[0].struct, WRITERS, atomic, missed, met))
            if met[0]:
                break
        else:
            raise NotPossible("no collect met a write", "play it on a machine with more CPUs")
        self.contract += [may_miss] if may_miss else []
        self._lost(missed[0], broken=not may_miss)

    def _lost(self, missed: int, *, broken: bool = True) -> None:
        self._missed += missed
        self._broken += missed * broken
        self._checks += 1
