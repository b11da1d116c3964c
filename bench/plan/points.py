# SPDX-License-Identifier: GPL-2.0-only
"""What is measured: a point, which is a workload, memory, writers, surroundings, and how collect asks."""

from __future__ import annotations

import math
from fnmatch import fnmatch
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.errors import BadInput
from bench.plan.interfaces import WRITTEN
from bench.plan.kinds import DIRECTORY, FREE, KINDS, PAGE_SIZE, READ_BYTES, USUAL_KIND, Ask, Layout
from bench.plan.settings import SETTINGS

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Sequence

    from bench.plan.interfaces import Interface

MAX_PAGES = 2**32  # page indices are 32 bits wide in the core: 16 TiB
MAX_THREADS = 256
SHARING = ("disjoint", "shared", "overlapping")
WORKER_BYTES = 40 << 20  # a worker's own memory beyond its mapping, at most
WORKER_BYTES_PER_PAGE = 48
PROCESS_BYTES = 1 << 20  # of a tracked process beyond its mapping: stacks and tables, the rest it shares with us


SEPARATE, ATOMIC = ("reset", "dirty", "collect"), ("dirty", "collect_reset")  # phases of an interval
LIFE = ("open", "arm", "disarm", "close", "after")  # those of a tracker's life around them, in their order
LIVES = ("", "idle", "busy")  # whether there is one, and what writers do when it ends


class Point(NamedTuple):
    """One thing to measure. Sizes in pages of the kernel, shares in percent, memory in bytes; 0 and 1 for no and yes.

    What follows `kind` are settings: names and results mention those that differ from these defaults.
    """

    workload: str
    pages: int
    dirty_percent: float  # of the populated pages
    kind: str = USUAL_KIND
    writers: int = 1
    sharing: str = (
        "disjoint"  # each writer its part; `shared`: each all pages; `overlapping`: half of the next one's too
    )
    concurrent: int = 0  # collect while the writers write
    external: int = 0  # track another process
    vmas: int = 1  # VMAs that the mapping is cut into
    watch_percent: float = 100  # of the mapping, from its start: what is tracked
    populated_percent: float = 100  # of the mapping, evenly spread: what has memory behind it
    populate: str = "write"  # by what means
    first: int = 0  # the first interval of every mapping, not the later ones
    ballast: int = 0  # bytes of other resident memory in the process
    vec_len: int = 0  # regions an ioctl may return; 0: as many as it likes
    max_pages: int = 0  # pages an ioctl may report; 0: no limit
    read_bytes: int = READ_BYTES  # of pagemap entries a read; 0: all in one
    masks: str = "fast"  # or `extra`: ask for more categories than the kernel's fast path knows
    prior_percent: float = 0  # of the mapping, from its start: reset once before the first interval, and not timed
    every_us: int = 0  # microseconds from the beginning of an interval to that of the next; 0: at once
    scanners: int = 1  # threads that ask at once, each about chunks of 64 MiB, or less where there is less for each
    read_percent: float = 0  # of the accesses, evenly spread: reads, where the others are writes
    paced: int = 0  # of the writers: those that have a rhythm, and
    budget: int = 16  # write so many pages
    period_us: int = 1000  # every so many microseconds
    trackers: int = 1  # at work at once, each in a thread of its own on its part of the pages, or of the targets
    targets: int = 1  # other processes that are tracked at once, and share the pages
    bystanders: str = ""  # what somebody does meanwhile who has nothing to do with it: one of BYSTANDERS
    then: str = ""  # what is done with the pages that are reported: `copy` or `wipe`, or nothing
    life: str = ""  # or a tracker's whole life around the intervals, which ends while nobody writes: idle; or busy

    @property
    def setting(self) -> str:
        """The settings that are not the usual ones, as in names: writers=4 shared concurrent; empty for none."""
        return " ".join(SETTINGS[key].named(getattr(self, key)) for key in self.changed if key != "kind")

    @property
    def changed(self) -> dict[str, Any]:
        """What differs from the defaults, by field."""
        fields = self._asdict().items()
        return {key: value for key, value in fields if key in DEFAULTS and value != DEFAULTS[key]}

    @property
    def name(self) -> str:
        """As in every table and benchmark name."""
        kind = "" if self.kind == DEFAULTS["kind"] else f"kind={self.kind}"
        what = f"{self.workload} pages={self.pages} dirty={self.dirty_percent:g}%"
        return " ".join(filter(None, [what, kind, self.setting]))

    @property
    def populated(self) -> int:
        """Pages that have memory behind them before the first interval, where `populate` gives them any."""
        return max(1, round(self.pages * self.populated_percent / 100))

    @property
    def watched(self) -> int:
        """Pages that are tracked: whole units of the kind of memory, at least one."""
        return self._units(self.watch_percent)

    @property
    def prior(self) -> int:
        """Pages that are reset once before the first interval: likewise, or none."""
        return self._units(self.prior_percent) if self.prior_percent else 0

    def _units(self, percent: float) -> int:
        unit = KINDS[self.kind].unit
        return max(1, round(self.pages * percent / 100 / unit)) * unit

    @property
    def dirty(self) -> int:
        """Pages the fraction asks for: at least one, unless the fraction is 0."""
        return max(1, round(self.populated * self.dirty_percent / 100)) if self.dirty_percent else 0

    @property
    def loops(self) -> int:
        """Intervals per value: small mappings need many, to be longer than the clock's steps.

        A fixed rule, not a calibration: every interface, machine and run does the same.
        """
        return 1 if self.first else min(100, max(1, 20_000 // self.pages))

    @property
    def mapped(self) -> int:
        """Pages that the mapping holds after its first interval; of hugetlb none, since it is reserved before."""
        some = self.populate == "none" and not KINDS[self.kind].huge
        return 0 if self.kind == "hugetlb" else self.dirty if some else self.populated

    @property
    def mapped_bytes(self) -> int:
        """The same in bytes."""
        return PAGE_SIZE * self.mapped

    @property
    def bytes_needed(self) -> int:
        """Memory of a worker at this point, at most, without huge pages that are reserved before."""
        return self.bytes_in(PAGE_SIZE)

    def bytes_in(self, page_size: int) -> int:
        """Return the same on a kernel with pages of so many bytes."""
        copies = 2 if self.kind == "file-private" else 1  # the file's pages, and those of their own that writes make
        pages = copies * self.mapped + (self.watched if self.then == "copy" else 0)
        others = PROCESS_BYTES * self.targets if self.external else 0
        return page_size * pages + self.pages * WORKER_BYTES_PER_PAGE + self.ballast + WORKER_BYTES + others

    @property
    def huge_pages(self) -> int:
        """Huge pages of hugetlb that must be reserved; two for a probe."""
        return max(2, self.pages // KINDS[self.kind].unit) if self.kind == "hugetlb" else 0

    @property
    def alone(self) -> bool:
        """Whether the tracking thread is also the writer: then one CPU is enough."""
        several = self.external or self.concurrent or self.writers > 1 or self.paced
        return not several and self.life != "busy"

    @property
    def threads(self) -> int:
        """How many do the same at once: what more CPUs can make faster."""
        return max(self.writers, self.scanners, self.trackers, self.targets)

    @property
    def more_phases(self) -> tuple[str, ...]:
        """Phases of an interval beside the usual ones."""
        return ("act",) if self.then else ()

    @property
    def elsewhere(self) -> tuple[str, int]:
        """What decides which interfaces can work: the kind of memory, and whose it is."""
        return self.kind, self.external

    @property
    def elsewhere_name(self) -> str:
        """The same in words, as in reasons: shmem, another process, another process of shmem."""
        kind = [self.kind] * (self.kind != DEFAULTS["kind"] or not self.external)
        return " of ".join(["another process"] * self.external + kind)

    def forms(self, rows: Iterable[Interface]) -> list[tuple[Interface, bool]]:
        """Return what is measured at this point: interfaces, each in its separate and, True, in its atomic form.

        Of a first interval there is no atomic one: what an atomic form times first is the second, behind a reset. Who
        says how many pages, and not which, is not asked twice an interval: both may have the same page. And who wipes
        memory has no life of which anything is left. Who wipes what an atomic form reported has written it before the
        next writes, and a lost one could not be told; and the check of what was done accesses every page.
        """
        fit = [row for row in rows if row.works_at(self.then) and not (row.instead and self.life)]
        fit = [row for row in fit if row.addresses or not self.concurrent]
        fit = [row for row in fit if row.prop == WRITTEN or not self.then]
        separate = self.first or self.then == "wipe"
        return [(row, atomic) for row in fit for atomic in row.forms if not (atomic and separate)]

    def phases(self, row: Interface, atomic: bool) -> list[str]:
        """Return the phases that an interval has here, in their order."""
        some = (*(ATOMIC if atomic else SEPARATE), *self.more_phases)
        return [phase for phase in some if row.has(phase) and (self.dirty or phase != "dirty")]

    def life_phases(self, row: Interface) -> list[str]:
        """Return those of the life around it, of which there is one each; none where no life is measured.

        Writes after it are on the clock where the tracking thread writes: they are as many threads' as before.
        """
        return [phase for phase in LIFE if self.life and row.has(phase) and (phase != "after" or self.writes_after)]

    @property
    def writes_after(self) -> bool:
        """Whether a life's writes after tracking has ended are measured."""
        return bool(self.dirty and self.alone)

    @property
    def work_seconds(self) -> float:
        """More than the work of one round of one form ever takes, on a machine that is emulated and busy."""
        work = 3e-4 * self.dirty * self.writers + 3e-5 * self.pages * (self.trackers if not self.external else 1)
        each = self.dirty * {"shared": 1, "overlapping": 1.5 / self.writers}.get(self.sharing, 1 / self.writers)
        rhythm = 1e-6 * self.period_us * math.ceil(each / self.budget) if self.paced else 0
        return (work + rhythm + 1e-6 * self.every_us) * (self.loops + 4)

    @property
    def round_seconds(self) -> float:
        """After so long a round of one form never ends: a limit, no estimate.

        A round of nothing takes 22 ms where it is emulated. With ten others on two CPUs it takes ten times that; the
        rest is for a host that stands still for a while.
        """
        return 25 + self.work_seconds

    def spread(self, order: array[int]) -> array[int]:
        """Take a workload's pages from the populated ones to their places in the mapping; the array is changed."""
        if self.populated < self.pages:
            for i, page in enumerate(order):
                order[i] = page * self.pages // self.populated
        return order

    def overlapped(self, order: array[int]) -> array[int]:
        """Return the pages in the order of writers that overlap, each one's behind the one's before.

        Beside every second page of its own, a writer writes the page at that place of the next one's part: they meet.
        """
        if self.sharing != "overlapping" or self.writers == 1:
            return order
        ends = [len(order) * i // self.writers for i in range(self.writers + 1)]
        parts = [order[first:end] for first, end in pairwise(ends)]
        found = order[:0]
        for own, following in zip(parts, parts[1:] + parts[:1], strict=True):
            for i, page in enumerate(own):
                found.extend([page] if i % 2 else [page, *following[i : i + 1]])
        return found

    def reads(self, count: int) -> bytes | None:
        """Which of so many accesses are reads, a byte each, 1 for a read: None where all of them are writes."""
        if not self.read_percent:
            return None
        share = self.read_percent / 100
        return bytes(math.floor((i + 1) * share) - math.floor(i * share) for i in range(count))

    def layout(self, directory: str = DIRECTORY, cpus: Sequence[int] = (-1,)) -> Layout:
        """How the memory is made; outside on these CPUs in turn where it is that of other processes."""
        made = Layout(self.kind, self.populate, self.populated, self.vmas, self.watched, directory)
        return made._replace(outside=cpus[0], targets=self.targets, cpus=tuple(cpus)) if self.external else made

    @property
    def ask(self) -> Ask:
        """How collect asks."""
        asking = (self.vec_len, self.max_pages, self.read_bytes, self.masks == "extra")
        return Ask(*asking, self.scanners, self.every_us, self.trackers, self.then)

    @property
    def rhythm(self) -> tuple[int, int, int]:
        """That of the writers: how many have one, pages, nanoseconds."""
        return (self.paced, self.budget, 1000 * self.period_us) if self.paced else FREE


DEFAULTS: dict[str, Any] = Point._field_defaults


def matches(name: str, pattern: str) -> bool:
    """Whether a name matches a shell pattern, or one of several: merge_*|thp_*."""
    return any(fnmatch(name, one) for one in pattern.split("|"))


def matching(points: Iterable[Point], pattern: str | None) -> list[Point]:
    """Return the points whose name matches the shell pattern. Raises BadInput if none does."""
    points = list(points)
    chosen = [p for p in points if not pattern or matches(p.name, pattern)]
    if not chosen:
        raise BadInput(
            f"--filter {pattern!r} matches no point",
            f"names look like {points[0].name!r}; try '*{points[0].workload}*'",
        )
    return chosen
