# SPDX-License-Identifier: GPL-2.0-only
"""The suites: named lists of points, or all scenarios, each with where its question comes from."""

from __future__ import annotations

from typing import Any, NamedTuple

from bench.errors import BadInput
from bench.plan.bystanders import BYSTANDERS
from bench.plan.grids import grid, make_point
from bench.plan.interfaces import ACCESSED, INSTEAD, INTERFACES, SLOTS, TRACKERS, UNTRACKED, WRITTEN
from bench.plan.kinds import KINDS, THEN, USUAL_KIND
from bench.plan.points import Point

_SIZES = (1, 10, 100, 1000, 10_000, 65_536)
_MIB = 256  # pages
_GIB = 1024 * _MIB
TRACKING = (UNTRACKED, *(name for name in TRACKERS[WRITTEN] if not INTERFACES[name].path_of))
_ELSE = [name for name, kind in KINDS.items() if not kind.folio]
_ORDERS = [USUAL_KIND, *(name for name, kind in KINDS.items() if kind.folio), "anon-thp"]  # order-0 first
# Those of which a process may have several trackers.
SEVERAL = tuple(
    row.name for row in INTERFACES.values() if row.tracks and row.prop == WRITTEN and not (row.single or row.path_of)
)
LEGACY_AND_IOCTL = tuple(row.name for row in INTERFACES.values() if row.role or row.draft)


class Suite(NamedTuple):
    """A named list of points, with the defaults of how often to measure them, and the source of its question.

    Points that need more memory than is safe are left out where it runs. Without points it plays the scenarios. Of a
    suite that is `by_cpus`, points of more threads than CPUs are left out too.
    """

    name: str
    summary: str
    source: str
    points: tuple[Point, ...]
    processes: int = (
        22  # at 1 % noise, 2 % is found among 88 comparisons in 95 of 100 cases: tests/stats/test_samples.py
    )
    values: int = 1  # of a process; of a scenario how often it is played
    interfaces: tuple[str, ...] = ()  # all, where none is named
    by_cpus: bool = False  # points for more CPUs than there are where it runs are left out


def _buffers() -> list[Point]:
    """One way of asking changed at a time."""
    changes: list[dict[str, object]] = [{}]
    changes += [{"vec_len": n} for n in (1, 32, 64, 512)]
    changes += [{"max_pages": n} for n in (64, 512)]
    changes += [{"read_bytes": n} for n in (4096, 2 << 20, 0)]
    changes += [{"masks": "extra"}]
    return [make_point("random", 10_000, 10, **change) for change in changes]


def _surroundings() -> list[Point]:
    """One surrounding changed at a time."""
    changes: list[dict[str, object]] = [{}]
    changes += [{"vmas": n} for n in (16, 256, 4096)]
    changes += [{"ballast": n << 20} for n in (64, 256, 1024)]
    changes += [{"watch_percent": 10.0}]
    sparse = [make_point("random", 1_048_576, 10, populated_percent=p) for p in (0.1, 1.0)]
    return [Point("idle", 1, 0.0), *(make_point("random", 16_384, 10, **change) for change in changes), *sparse]


def _callers() -> list[Point]:
    """What programs ask today: a write watch, a checkpoint, a sandbox, a store, a collector, a virtual machine."""
    rhythms: list[dict[str, Any]] = [{"writers": 1}, {"writers": 6}]
    rhythms += [{"writers": 6, "every_us": n} for n in (1000, 3000)]
    watches = [
        make_point("random", n, 10, vec_len=256, max_pages=n, **rhythm) for n in (64, 1080, 8192) for rhythm in rhythms
    ]
    return [
        *watches,
        *grid(["random"], [65_536], (1, 10), external=(1,), masks=("extra",)),
        make_point("random", 16_384, 1, kind="shmem", vec_len=512),
        *grid(["random"], [65_536], [1], vec_len=(1000,), scanners=(1, 4, 20)),
        make_point("random", 10_240, 5),
        *grid(["random"], [2 * _GIB], [0.4], kind=("anon", "shmem")),
    ]


def _rhythms() -> list[Point]:
    """Writers that overlap, and writers with a rhythm beside those that write as fast as they can."""
    found = grid(["random"], [16_384], [50], writers=(2, 4), sharing=("overlapping",))
    return found + grid(
        ["random"], [16_384], [50], writers=(2, 4), concurrent=(0, 1), paced=(1,), budget=(256,), period_us=(1000,)
    )


def _scaling() -> list[Point]:
    """One of everything, and then more of one thing at a time, up to as many as a large machine has CPUs."""
    more = [2**n for n in range(1, 9)]
    found = []
    for pages in (16_384, _GIB):
        several: list[dict[str, Any]] = [{}]
        several += [{who: n} for who in ("writers", "scanners", "trackers") for n in more]
        several += [{"external": 1, "targets": n, "trackers": n} for n in (1, *more)]
        found += [make_point("random", pages, 10, **one) for one in several]
    return found


def _accessed() -> list[Point]:
    """Reads of 1 to 100 %, then writes and both, then memory whose pages are larger or are not the process's own."""
    sizes = (1000, 10_000, 65_536)
    return [
        Point("idle", 10_000, 0.0),
        *grid(["random"], sizes, (10, 1, 100), read_percent=(100.0,)),
        *grid(["random"], sizes, [10], read_percent=(0.0, 50.0)),
        *grid(["random"], [10_240], [10], kind=("anon-thp", "shmem", "shmem-thp"), read_percent=(100.0,)),
    ]


def _lives() -> list[Point]:
    """Sizes, then kinds, VMAs, populated parts and writers, one changed at a time."""
    changes: list[dict[str, Any]] = [{"kind": kind} for kind in _ELSE if kind != USUAL_KIND]
    changes += [{"vmas": n} for n in (16, 256)]
    changes += [{"populated_percent": p} for p in (1.0, 50.0)]
    changes += [{"life": "busy"}, {"life": "busy", "writers": 4}, {"life": "busy", "kind": "shmem"}, {"external": 1}]
    return [
        *grid(["random"], [1, _MIB, 64 * _MIB, _GIB], [10], life=("idle",)),
        *(make_point("random", 10_240, 10, **{"life": "idle"} | change) for change in changes),
    ]


def _history() -> list[Point]:
    """What shows each path of a walk at least once, and boots in a minute where instructions are counted."""
    return [
        Point("idle", 1, 0.0),
        make_point("random", 10_240, 10),
        make_point("all", 1024, 100),
        *grid(["random"], [10_240], [10], kind=("shmem", "anon-thp")),
    ]


SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "quick",
            "1 to 65,536 pages, 1, 10 and 100 % written, seven patterns: the legacy interface and the ioctl",
            "the main question of the v6 discussion",
            (
                Point("idle", 1, 0.0),  # what the empty mapping costs: the process around it, for clear_refs
                *grid(["random"], _SIZES, (10, 1, 100)),
                *grid(["idle", "all", "sequential", "strided", "clustered", "hotset"], [10_000], [10]),
            ),
            interfaces=LEGACY_AND_IOCTL,
        ),
        Suite(
            "lkml-2022",
            "every interface over the sizes of the 2022 table, all pages written, also in TSC cycles",
            "M. U. Anjum, lore 54d4c322-cd6e-eefd-b161-2af2b56aae24@collabora.com",
            tuple(grid(["all"], (1, 10, 100, 1000, 10_000), [100])),
        ),
        Suite(
            "density",
            "0 to 100 % of 16,384 pages written, contiguous and scattered",
            "tells the cost of each page walked from that of each page found",
            (
                *grid(["idle", "all"], [16_384], [0]),
                *grid(["sequential", "random"], [16_384], (0.1, 1, 5, 10, 20, 50, 80)),
            ),
        ),
        Suite(
            "scale",
            "4 KiB to 16 GiB, as far as memory allows, 10 % written: the cost of a page",
            "scaling with memory size: asked for and not shown in 2022",
            tuple(grid(["random"], [4**n for n in range(12)], [10])),
            interfaces=LEGACY_AND_IOCTL,
        ),
        Suite(
            "who-pays",
            "1 MB to 1 GB, all pages written: what tracker and tracked program pay, in percent of the writes",
            "Bitchebe and Tchana, OoH, SC '22, Table I",
            tuple(grid(["all"], [n * _MIB for n in (1, 10, 50, 100, 250, 500, 1024)], [100])),
        ),
        Suite(
            "getwritewatch",
            "a part of the mapping watched, atomic collect and reset, a limit of pages, a large process",
            "what emulation of Windows' GetWriteWatch does, for which PAGEMAP_SCAN was made",
            tuple(
                grid(
                    ["random"],
                    [65_536],
                    [10],
                    watch_percent=(0.39, 10.0, 100.0),
                    ballast=(0, 1 << 30),
                    max_pages=(0, 16),
                )
            ),
        ),
        Suite(
            "predump",
            "another process tracked in rounds, writing between and during the collects",
            "what CRIU's pre-dump does",
            tuple(grid(["random"], [_MIB, 16 * _MIB, 256 * _MIB], (1, 10, 50), external=(1,), concurrent=(0, 1))),
        ),
        Suite(
            "callers",
            "a write watch, a checkpoint, a sandbox, a store, a collector, a small virtual machine: as they ask",
            "ntdll's virtual.c in Wine, criu/pagemap-cache.c, pkg/sentry/hostmm in gVisor, bdwgc's os_dep.c",
            tuple(_callers()),
            interfaces=tuple(row.name for row in INTERFACES.values() if row.role),
        ),
        Suite(
            "slots",
            "a slot of a pool is made zero again: by a scan, memset or MADV_DONTNEED, and then written again",
            "reset_with_pagemap() in Wasmtime, and its pull request 14357",
            tuple(
                grid(["clustered", "random"], [64, 1024, 16_384], (1, 10, 50), populate=("none",), vec_len=(32, 4096))
            ),
            interfaces=SLOTS,
        ),
        Suite(
            "kinds",
            "every kind of memory, 40 MiB, one page and 10 % written: cost and granularity",
            "file-backed and huge-page tracking: asked for and not shown in 2022",
            tuple(grid(["random"], [10_240], (0.005, 10), kind=_ELSE)),
        ),
        Suite(
            "instead",
            "what tracking is for, with it and without: written pages copied or wiped, or all of them, or fork",
            "resets and snapshots without tracking: Wasmtime's pull request 14357; Redis forks to save",
            tuple(grid(["random"], [16, 256, 4096, 16_384, 65_536], (1, 10, 50, 100), then=tuple(filter(None, THEN)))),
            interfaces=(*(row.name for row in INTERFACES.values() if row.role or row.name == "mprotect"), *INSTEAD),
        ),
        Suite(
            "batching",
            "64 MiB of order-0 pages, of folios of each order, and of huge pages by PTEs and whole: cost of a page",
            "folio_pte_batch() is not used by soft-dirty or the ioctl yet; reviewers ask for order-0 beside each order",
            tuple(
                point
                for name, dirty in (("random", 10), ("all", 100))
                for point in grid([name], [16_384], [dirty], kind=_ORDERS)
            ),
            interfaces=LEGACY_AND_IOCTL,
        ),
        Suite(
            "writers",
            "1 to 4 threads write parts of 64 MiB, parts that overlap, or all of it; one of them with a rhythm",
            "multi-threaded writers: asked for and not shown in 2022; lost updates without an atomic collect",
            (
                *grid(["random"], [16_384], [50], writers=(1, 2, 4), concurrent=(0, 1)),
                *grid(["random"], [16_384], [50], writers=(2, 4), sharing=("shared",)),
                *_rhythms(),
            ),
        ),
        Suite(
            "scaling",
            "writers, scanners, trackers, tracked processes: one, and more, to as many as there are CPUs",
            "multi-threaded tracking was asked for in 2022; clear_refs holds mmap_lock over its whole walk",
            tuple(_scaling()),
            processes=12,
            interfaces=SEVERAL,
            by_cpus=True,
        ),
        Suite(
            "buffers",
            "vec_len, max_pages, bytes of a pagemap read and category masks, one changed at a time",
            "the scan's buffer size: asked for and not shown in 2022",
            tuple(_buffers()),
        ),
        Suite(
            "surroundings",
            "many VMAs, other memory of the process, a part watched, a sparse mapping, one changed at a time",
            "clear_refs walks the whole process, the ioctl only a range; sparse mappings were asked for in 2022",
            tuple(_surroundings()),
        ),
        Suite(
            "accessed",
            "what is read, written, or both: 1 to 100 % of 1,000 to 65,536 pages; and what each way to know it misses",
            "K. Shutsemau, userfaultfd working set tracking, of which numbers were asked for in April 2026",
            tuple(_accessed()),
            interfaces=("scan-wp", *TRACKERS[ACCESSED]),
        ),
        Suite(
            "arm",
            "first reset of 1 and 10 GiB and the first writes after it, four ways of populating, THP on and off",
            "P. Xu, userfaultfd WP_UNPOPULATED, 2bad466cc9d9 (Linux 6.4)",
            tuple(
                grid(
                    ["random"],
                    [_GIB, 10 * _GIB],
                    [0.1],
                    kind=("anon", "anon-thp"),
                    populate=("none", "read", "madvise-read", "write"),
                    first=(1,),
                )
            ),
            processes=6,
        ),
        Suite(
            "life",
            "a tracker's whole life: opened, armed, asked, disarmed while nobody or somebody writes, closed",
            "what tracking costs besides its intervals; clear_refs has nothing that ends it",
            tuple(_lives()),
            processes=10,
        ),
        Suite(
            "bystanders",
            "threads that map, fault and mprotect elsewhere, and readers of smaps and pagemap, while each tracks",
            "fs/proc/task_mmu.c: clear_refs takes mmap_lock for writing over its whole walk, the ioctl for reading",
            tuple(grid(["random"], [4 * _MIB, 64 * _MIB, _GIB], [10], bystanders=tuple(BYSTANDERS))),
            processes=6,
            interfaces=TRACKING,
        ),
        Suite(
            "history",
            "a few points whose instructions are counted, kernel after kernel: base pages, huge pages, shared memory",
            "the question each release raises: what got dearer, and which functions made it so (./bench.py history)",
            tuple(_history()),
            processes=1,
            values=3,
            interfaces=LEGACY_AND_IOCTL,
        ),
    )
}


MEANING = Suite(
    "meaning",
    "what each interface reports that nobody wrote, and misses that somebody did",
    "the discussion of v6: what PAGEMAP_NO_REUSED_REGIONS is for, and the reproducer that was asked for",
    points=(),
    processes=1,
    values=100,
    interfaces=TRACKERS[WRITTEN],
)
MEANING_ACCESSED = Suite(
    "meaning-accessed",
    "what each interface reports as accessed that nobody accessed, and misses that somebody did",
    "the series of userfaultfd's RWP, 2026: what it sees that the accessed bits of page tables do not",
    points=(),
    processes=1,
    values=100,
    # what samples says something else the next time
    interfaces=tuple(name for name in TRACKERS[ACCESSED] if not INTERFACES[name].samples),
)
PLAYED = {suite.name: suite for suite in (MEANING, MEANING_ACCESSED)}  # those of scenarios


def find(name: str) -> Suite:
    """Return the suite of that name. Raises BadInput that lists the names there are."""
    known = SUITES | PLAYED
    try:
        return known[name]
    except KeyError:
        raise BadInput(f"there is no suite {name!r}", f"one of: {', '.join(known)}") from None
