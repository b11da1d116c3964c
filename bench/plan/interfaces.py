# SPDX-License-Identifier: GPL-2.0-only
"""The table of interfaces: a row says what an interface is and can do. Its C is bench/core/interfaces/NAME.c."""

from __future__ import annotations

from typing import NamedTuple

from bench.errors import BadInput

ATOMIC = " atomic"  # what a form's name ends with where collect and reset are one call
WRITTEN, ACCESSED = "written", "accessed"  # properties of a page that can be tracked: a write is an access too


class Reason(NamedTuple):
    """Why something can't be measured here, and what would change that."""

    why: str
    remedy: str


class Interface(NamedTuple):
    """One way to learn which pages were written, or accessed, in the order of tables and plots.

    `asks`: what it asks the kernel for, in words; `nothing`: what it means that a kernel takes every call of it and
    tracks nothing, where that is no lie.
    `options`: of the kernel's configuration, that it needs.
    `role`: `legacy` is what every ratio is over, `ioctl` what it is of: the first such form that was measured; `hybrid`
    resets as the first of them and collects as the second.
    """

    name: str
    summary: str
    asks: str
    options: tuple[str, ...] = ()
    role: str = ""
    nothing: Reason | None = None
    soft_dirty: bool = False  # soft-dirty bits are what it reports
    draft: bool = False  # its number was used by others too, and no release has it: not missed where it is absent
    tracks: bool = True  # False: the untracked baseline
    atomic: bool = False  # it can collect and reset in one step
    parts: bool = False  # it can reset a part of what it tracks
    wp_async: bool = False  # PAGEMAP_SCAN over memory that is registered with userfaultfd WP_ASYNC
    uffd: bool = False  # it has a userfaultfd
    kernel_writes: bool = True  # False: what the kernel writes for the program, as in read(2), fails with EFAULT
    flushes: bool = True  # False: a reset leaves TLB entries, through which a page written before can be written unseen
    instead: str = ""  # no tracker: does to all of the memory what others do to reported pages (Point.then); checked
    tabled: bool = True  # False: in no table of interfaces against each other, where there is no room for it
    misses: str = ""  # what explains pages that it misses, where nothing else does
    path_of: str = ""  # the interface of which this is another path through the kernel: scenarios play all of them
    heading: str = ""  # of its column, where that is more than the name
    single: str = ""  # why a process can't have several trackers of it
    exclusive: tuple[str, ...] = ()  # phases that take mmap_lock for writing: who shares the address space waits
    prop: str = WRITTEN  # or ACCESSED: what it tracks, and which truth it is checked against
    addresses: bool = True  # False: it says how many pages, and not which
    ends: bool = True  # False: nothing ends its tracking, and what it write-protected last stays so
    young: bool = False  # it reports the hardware's accessed bits, which others clear too: reclaim, and DAMON
    samples: bool = False  # what it says is an estimate: that it is not the truth is no finding of its probe

    def has(self, phase: str) -> bool:
        """Whether it has this phase of an interval or a life, where there are writes."""
        if phase == "disarm":
            return self.tracks and self.ends
        if self.instead and phase == {"wipe": "reset", "copy": "act"}[self.instead]:
            return True
        return self.tracks or phase in ("dirty", "after")

    def works_at(self, then: str) -> bool:
        """Whether it is measured where a tracker does that with the pages reported: who copies only there."""
        return self.instead in ("", then) or (self.instead == "wipe" and not then)

    @property
    def baseline(self) -> bool:
        """Whether it does nothing."""
        return not self.tracks and not self.instead

    @property
    def forms(self) -> tuple[bool, ...]:
        """False, and True where it has an atomic form."""
        return (False, True) if self.atomic else (False,)


GUEST = "or boot one that has it: ./bench.py run --where vm --kernel debian:6.12"
SOFT_DIRTY = Reason(
    "clear_refs takes the 4, but written pages do not become soft-dirty", f"build with CONFIG_MEM_SOFT_DIRTY, {GUEST}"
)
V6 = Reason(
    "the ioctl of v6's number and size tracks something other than soft-dirty, as v10 of February 2023 did",
    "boot a kernel with the v6 series: ./bench.py run --kernel IMAGE",
)
_NOTED = "the pages that its handler noted"
_ONE_SLOT = "a slot is reset by one thread"
_ONE_HANDLER = "a process has one handler of SIGSEGV"
_ONE_COPY = "all is copied by one thread"
_SOFT = ("PROC_PAGE_MONITOR", "CHECKPOINT_RESTORE", "MEM_SOFT_DIRTY")  # the last one depends on that before it
# Without the last one there is no WP_ASYNC (userfaultfd_api() in fs/userfaultfd.c).
_ASYNC = ("PROC_PAGE_MONITOR", "USERFAULTFD", "PTE_MARKER_UFFD_WP")
_RWP = ("PROC_PAGE_MONITOR", "USERFAULTFD", "USERFAULTFD_RWP")

_NO_FLUSH = (
    'CLEAR flushes no TLB entry (changelog of the series: "v5: Remove tlb flushing"), through which what was written '
    "before is written again unseen; it walks no hugetlb memory"
)

INTERFACES = {
    row.name: row
    for row in (
        Interface("none", "nothing is tracked: the baseline of dirty", "", tracks=False),
        Interface(
            "clear_refs",
            "write 4 to clear_refs, read pagemap bit 55",
            "pagemap's soft-dirty bits",
            _SOFT,
            role="legacy",
            nothing=SOFT_DIRTY,
            soft_dirty=True,
            ends=False,
            heading="clear_refs + pagemap",
            exclusive=("reset",),  # clear_refs_write() in fs/proc/task_mmu.c, over its whole walk
        ),
        Interface(
            "scan-softdirty",
            "write 4 to clear_refs, PAGEMAP_SCAN for PAGE_IS_SOFT_DIRTY",
            "PAGE_IS_SOFT_DIRTY",
            _SOFT,
            role="hybrid",
            nothing=SOFT_DIRTY,
            soft_dirty=True,
            ends=False,
            tabled=False,
            exclusive=("reset",),
        ),
        Interface(
            "scan-wp",
            "PAGEMAP_SCAN write-protects and finds PAGE_IS_WRITTEN (userfaultfd WP_ASYNC)",
            "PAGE_IS_WRITTEN",
            _ASYNC,
            role="ioctl",
            atomic=True,
            parts=True,
            wp_async=True,
            uffd=True,
        ),
        Interface(
            "scan-wp-general",
            "scan-wp by the kernel's general path: any of several categories asked for, and more returned",
            "PAGE_IS_WRITTEN by category_anyof_mask",
            _ASYNC,
            atomic=True,
            parts=True,
            wp_async=True,
            uffd=True,
            tabled=False,
            path_of="scan-wp",
        ),
        Interface(
            "scan-wp-inverted",
            "scan-wp by the kernel's general path: asked for what is not PAGE_IS_WRITTEN, the rest is written",
            "what is not PAGE_IS_WRITTEN, by category_inverted,",
            _ASYNC,
            parts=True,
            wp_async=True,
            uffd=True,
            tabled=False,
            path_of="scan-wp",
        ),
        Interface(
            "v6",
            "the v6 series of November 2022: GET and CLEAR of soft-dirty in one ioctl",
            "v6's PAGE_IS_SOFTDIRTY",
            _SOFT,
            nothing=V6,
            soft_dirty=True,
            ends=False,
            draft=True,
            atomic=True,
            parts=True,
            exclusive=("reset", "collect_reset"),  # CLEAR
            flushes=False,
            misses=_NO_FLUSH,
        ),
        Interface(
            "v6-no-reused",
            "v6 with PAGEMAP_NO_REUSED_REGIONS: the pages' bits alone, not VM_SOFTDIRTY",
            "v6's PAGE_IS_SOFTDIRTY with NO_REUSED_REGIONS",
            _SOFT,
            nothing=V6,
            soft_dirty=True,
            ends=False,
            draft=True,
            atomic=True,
            parts=True,
            exclusive=("reset", "collect_reset"),  # CLEAR
            flushes=False,
            misses=f"{_NO_FLUSH}; and NO_REUSED_REGIONS leaves out VM_SOFTDIRTY, which alone says that memory is new",
        ),
        Interface(
            "uffd-sync",
            "userfaultfd write protection, a thread answers each first write",
            _NOTED,
            ("USERFAULTFD", "PTE_MARKER_UFFD_WP"),
            uffd=True,
            kernel_writes=False,
        ),
        Interface(
            "mprotect",
            "read-only memory, a SIGSEGV handler notes each first write",
            _NOTED,
            kernel_writes=False,
            single=_ONE_HANDLER,
            exclusive=("reset", "dirty"),  # do_mprotect_pkey() in mm/mprotect.c
        ),
        Interface(
            "slot-scan",
            "a slot's reset: PAGEMAP_SCAN finds the pages that are there, those are wiped, the rest is dropped",
            "",
            ("PROC_PAGE_MONITOR",),
            tracks=False,
            instead="wipe",
            single=_ONE_SLOT,
        ),
        Interface(
            "slot-memset", "a slot's reset: all of it is wiped", "", tracks=False, instead="wipe", single=_ONE_SLOT
        ),
        Interface(
            "slot-dontneed",
            "a slot's reset: all of it is dropped by MADV_DONTNEED",
            "",
            tracks=False,
            instead="wipe",
            single=_ONE_SLOT,
        ),
        Interface(
            "copy-all", "no tracking: all of the memory is copied", "", tracks=False, instead="copy", single=_ONE_COPY
        ),
        Interface(
            "fork-cow",
            "no tracking: a forked process holds the memory, copied on write",
            "",
            tracks=False,
            instead="copy",
            single=_ONE_COPY,
        ),
        Interface(
            "rwp-async",
            "UFFDIO_RWPROTECT to reset, PAGEMAP_SCAN finds PAGE_IS_ACCESSED (userfaultfd RWP_ASYNC)",
            "PAGE_IS_ACCESSED",
            _RWP,
            parts=True,
            uffd=True,
            prop=ACCESSED,
        ),
        Interface(
            "rwp-sync",
            "userfaultfd protection against any access, a thread answers each first one",
            _NOTED,
            ("USERFAULTFD", "USERFAULTFD_RWP"),
            uffd=True,
            kernel_writes=False,
            prop=ACCESSED,
        ),
        Interface(
            "clear_refs-1",
            "write 1 to clear_refs, add up Referenced in smaps: how many pages, not which",
            "the sum of Referenced in smaps",
            ("PROC_PAGE_MONITOR",),
            flushes=False,
            misses="clear_refs 1 flushes no TLB entry, through which what was accessed before is accessed again unseen",
            prop=ACCESSED,
            ends=False,
            young=True,
            single="Referenced is a sum of a VMA, and no tracker has a VMA of its own",
            addresses=False,
        ),
        Interface(
            "page_idle",
            "mark page frames as idle in /sys/kernel/mm/page_idle/bitmap, see which are no more",
            "frames that are not idle",
            ("PROC_PAGE_MONITOR", "IDLE_PAGE_TRACKING"),
            flushes=False,
            misses="page_idle flushes no TLB entry, through which what was accessed before is accessed again unseen",
            prop=ACCESSED,
            ends=False,
            young=True,
        ),
        Interface(
            "damon",
            "DAMON's own counters, through its files: regions of which a sampled page was accessed",
            "regions in which DAMON counted an access",
            ("DAMON", "DAMON_VADDR", "DAMON_SYSFS"),
            flushes=False,
            misses="DAMON samples: it looks at one page of each region every 5 ms, and takes the region to be alike",
            prop=ACCESSED,
            young=True,
            single="DAMON has one user",
            samples=True,
            ends=False,
        ),
        Interface(
            "mprotect-none",
            "memory without permissions, a SIGSEGV handler notes each first access",
            _NOTED,
            kernel_writes=False,
            single=_ONE_HANDLER,
            prop=ACCESSED,
        ),
    )
}
UNTRACKED = next(row.name for row in INTERFACES.values() if row.baseline)
SLOTS = tuple(row.name for row in INTERFACES.values() if row.instead == "wipe")
INSTEAD = tuple(row.name for row in INTERFACES.values() if row.instead)
TRACKERS = {  # by property, the interfaces that track it
    prop: tuple(row.name for row in INTERFACES.values() if row.tracks and row.prop == prop)
    for prop in (WRITTEN, ACCESSED)
}
LEGACY = next(row.name for row in INTERFACES.values() if row.role == "legacy")


def find(name: str) -> Interface:
    """Return the interface of that name. Raises BadInput that lists the names there are."""
    try:
        return INTERFACES[name]
    except KeyError:
        raise BadInput(f"there is no interface {name!r}", f"one of: {', '.join(INTERFACES)}") from None


def form(interface: str, atomic: bool) -> str:
    """Name an interface and how it was used: `scan-wp`, or `scan-wp atomic` (get and reset in one step)."""
    return f"{interface}{ATOMIC}" if atomic else interface


# The forms whose ratio over LEGACY is shown: the first of them that was measured.
IOCTL = tuple(form(row.name, atomic) for row in INTERFACES.values() if row.role == "ioctl" for atomic in (True, False))
