# SPDX-License-Identifier: GPL-2.0-only
"""What is measured: a point (workload, memory, writers, surroundings, how collect asks), and grids of points."""

from __future__ import annotations

import math
from fnmatch import fnmatch
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.errors import BadInput
from bench.plan import catalogue
from bench.plan.kinds import DIRECTORY, KINDS, POPULATE, READ_BYTES, USUAL_KIND, Ask, Layout

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bench.plan.interfaces import Interface

MAX_PAGES = 2**32  # page indices are 32 bits wide in the core: 16 TiB
MAX_THREADS = 256
MAX_POINTS = 20_000  # of one plan: one record, and one table
WORKER_BYTES = 40 << 20  # a worker's own memory beyond its mapping, at most
WORKER_BYTES_PER_PAGE = 48


class Point(NamedTuple):
    """One thing to measure. Sizes in pages of 4 KiB, shares in percent, memory in bytes; 0 and 1 for no and yes.

    What follows `kind` are settings: names and results mention those that differ from these defaults.
    """

    workload: str
    pages: int
    dirty_percent: float  # of the populated pages
    kind: str = USUAL_KIND
    writers: int = 1
    sharing: str = "disjoint"  # each writer its part, or `shared`: each all pages
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
    def mapped_bytes(self) -> int:
        """What the mapping holds resident after its first interval; of hugetlb nothing, since it is reserved before."""
        some = self.populate == "none" and not KINDS[self.kind].huge
        return 0 if self.kind == "hugetlb" else 4096 * (self.dirty if some else self.populated)

    @property
    def bytes_needed(self) -> int:
        """Memory of a worker at this point, at most, without huge pages that are reserved before."""
        copies = 2 if self.kind == "file-private" else 1  # the file's pages, and those of their own that writes make
        return copies * self.mapped_bytes + self.pages * WORKER_BYTES_PER_PAGE + self.ballast + WORKER_BYTES

    @property
    def huge_pages(self) -> int:
        """Huge pages of hugetlb that must be reserved; two for a probe."""
        return max(2, self.pages // KINDS[self.kind].unit) if self.kind == "hugetlb" else 0

    @property
    def alone(self) -> bool:
        """Whether the tracking thread is also the writer: then one CPU is enough."""
        return not self.external and not self.concurrent and self.writers == 1

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

        Of a first interval there is no atomic one: what an atomic form times first is the second, behind a reset.
        """
        return [(row, atomic) for row in rows for atomic in row.forms if not (atomic and self.first)]

    @property
    def work_seconds(self) -> float:
        """More than the work of one round of one form ever takes, on a machine that is emulated and busy."""
        work = 3e-4 * self.dirty * self.writers + 3e-5 * self.pages
        return (work + 1e-6 * self.every_us) * (self.loops + 4)

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

    def layout(self, directory: str = DIRECTORY, cpu: int = -1) -> Layout:
        """How the memory is made; outside on this CPU where it is another process's."""
        outside = cpu if self.external else None
        return Layout(self.kind, self.populate, self.populated, self.vmas, self.watched, directory, outside)

    @property
    def ask(self) -> Ask:
        """How collect asks."""
        return Ask(self.vec_len, self.max_pages, self.read_bytes, self.masks == "extra", self.scanners, self.every_us)


DEFAULTS: dict[str, Any] = Point._field_defaults


def size(count: int) -> str:
    """Bytes in the largest whole unit: 2MiB, 64KiB."""
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count and not count % (1 << shift):
            return f"{count >> shift}{unit}"
    return f"{count}B"


MEMORY, ASKING = "Memory and writers", "How collect asks"  # groups of settings, as in --help


class Setting(NamedTuple):
    """A field of Point as the command line takes it and as names say it.

    `sort`: how its values are typed, one of words, counts, percents, sizes or flag (bench/run/options.py).
    """

    option: str
    sort: str
    named: Callable[[Any], str]
    help: str
    group: str = MEMORY


def _same(value: Any) -> str:
    return str(value)


# fmt: off
SETTINGS: Mapping[str, Setting] = {
    "kind": Setting("--kind", "words", "kind={}".format, f"Kinds of memory: {', '.join(KINDS)}."),
    "writers": Setting("--writers", "counts", "writers={}".format, "Numbers of threads that write."),
    "sharing": Setting("--sharing", "words", _same,
                       "disjoint: each writer has its part of the pages; shared: each writes all of them."),
    "concurrent": Setting("--concurrent", "flag", lambda _: "concurrent",
                          "Collect while the writers write, not only after them."),
    "external": Setting("--external", "flag", lambda _: "external", "Track another process, as CRIU does."),
    "vmas": Setting("--vmas", "counts", "vmas={}".format, "Numbers of VMAs that the mapping is cut into."),
    "watch_percent": Setting("--watch", "percents", "watch={:g}%".format,
                             "Part of the mapping that is tracked, in percent."),
    "populated_percent": Setting("--populated", "percents", "populated={:g}%".format,
                                 "Part of the mapping that has memory behind it, in percent."),
    "populate": Setting("--populate", "words", "populate={}".format, f"How memory gets there: {', '.join(POPULATE)}."),
    "first": Setting("--first", "flag", lambda _: "first",
                     "Measure only the first interval of each fresh mapping, not later ones."),
    "ballast": Setting("--ballast", "sizes", lambda n: f"ballast={size(n)}",
                       "Other resident memory of the process, in bytes."),
    "vec_len": Setting("--vec-len", "counts", "vec_len={}".format,
                       "Most regions that one ioctl may return; 0: no limit.", ASKING),
    "max_pages": Setting("--max-pages", "counts", "max_pages={}".format,
                         "Most pages that one ioctl may report; 0: no limit.", ASKING),
    "read_bytes": Setting("--read", "sizes", lambda n: f"read={size(n) if n else 'one'}",
                          "Bytes of pagemap in one read(2); 0: all in one.", ASKING),
    "masks": Setting("--masks", "words", "masks={}".format,
                     "What the ioctl asks for. fast: the one category of the kernel's fast path; extra: more.",
                     ASKING),
    "every_us": Setting("--every", "counts", "every={}us".format,
                        "Microseconds from one interval to the next, the caller's rhythm; 0: at once.", ASKING),
    "scanners": Setting("--scanners", "counts", "scanners={}".format,
                        "Numbers of threads that ask at once, each about chunks of its own.", ASKING),
    "prior_percent": Setting("--prior", "percents", "prior={:g}%".format,
                             "Part of the mapping that is reset once before, untimed: where a reset cuts VMAs."),
}
# fmt: on


def grid(
    names: Iterable[str], sizes: Iterable[int], percents: Sequence[float], **settings: Sequence[Any]
) -> list[Point]:
    """Every combination once. Where small sizes make two fractions write as many pages, the first one stays.

    Raises BadInput for too many, and for what can't be.
    """
    axes: list[list[Any]] = [list(one) for one in (names, sizes, percents, *settings.values())]
    if (count := math.prod(map(len, axes))) > MAX_POINTS:
        raise BadInput(f"{count} points can't be measured", f"give fewer values: {MAX_POINTS} points are the most")
    points: dict[Any, Point] = {}
    for name, pages, percent, *chosen in product(*axes):
        point = make_point(name, pages, percent, **dict(zip(settings, chosen, strict=True)))
        same = point if catalogue.fraction(name) is not None else point._replace(dirty_percent=point.dirty)
        points.setdefault(same, point)
    return list(points.values())


def make_point(name: str, pages: int, percent: float, **settings: Any) -> Point:
    """Return a point. Raises BadInput for an unknown workload and for what can't be."""
    entry = catalogue.workload(name)
    if not 1 <= pages <= MAX_PAGES:
        raise BadInput(f"{pages} pages can't be mapped", f"give --pages 1 to {MAX_PAGES}")
    if not 0 <= percent <= 100:
        raise BadInput(f"--dirty can't be {percent:g} %", "give a percentage of the pages: 0 to 100")
    point = Point(name, pages, percent if entry.dirty_percent is None else entry.dirty_percent, **settings)
    _check_words(point)
    _check_sizes(point)
    return point


def _check_words(point: Point) -> None:
    """Raise BadInput for a setting that is none of those there are, or that excludes another."""
    for what, word, known in (
        ("kind", point.kind, list(KINDS)),
        ("--populate", point.populate, list(POPULATE)),
        ("--sharing", point.sharing, ["disjoint", "shared"]),
        ("--masks", point.masks, ["fast", "extra"]),
    ):
        if word not in known:
            raise BadInput(f"there is no {what} {word!r}", f"one of: {', '.join(known)}")
    if point.external and point.writers > 1:
        raise BadInput("with --external only one thread can write", "leave out --writers or --external")
    if point.concurrent and (point.sharing == "shared" or catalogue.workload(point.workload).repeats):
        raise BadInput(
            "--concurrent can't be checked where an interval writes a page twice: if only one of the two writes is "
            "reported, nobody can tell whether the other was lost",
            "leave out --concurrent, or what writes pages twice: --sharing shared, or the workload",
        )
    if point.concurrent and point.first:
        raise BadInput(
            "--first is about one reset and the writes after it; with --concurrent there are two resets an interval",
            "leave out --first or --concurrent",
        )
    if point.populated_percent < 100 and (point.populate != "write" or KINDS[point.kind].unit > 1):
        raise BadInput(
            "--populated below 100 % works page by page, by writing: not in huge pages, and not with other --populate",
            "leave out --populated, or --populate and the kinds of huge pages",
        )


def _check_threads(point: Point) -> None:
    """Raise BadInput for more threads than anybody has."""
    for who, count in (("writers", point.writers), ("scanners", point.scanners)):
        if not 1 <= count <= MAX_THREADS:
            raise BadInput(f"{count} {who} can't be started", f"give --{who} 1 to {MAX_THREADS}")


def _check_sizes(point: Point) -> None:
    """Raise BadInput for a number that can't be."""
    unit = KINDS[point.kind].unit
    if point.pages % unit:
        raise BadInput(
            f"{point.pages} pages make no whole huge pages, which {point.kind} consists of",
            f"give --pages in steps of {unit}",
        )
    if not 1 <= point.vmas <= point.pages // unit:
        raise BadInput(
            f"{point.pages} pages of {point.kind} can't be cut into {point.vmas} VMAs",
            f"give --vmas 1 to {point.pages // unit}",
        )
    _check_threads(point)
    for what, percent in (("--watch", point.watch_percent), ("--populated", point.populated_percent)):
        if not 0 < percent <= 100:
            raise BadInput(f"{what} can't be {percent:g} %", f"give {what} more than 0, up to 100")
    if not 0 <= point.prior_percent <= 100:
        raise BadInput(f"--prior can't be {point.prior_percent:g} %", "give --prior 0 to 100")
    if point.read_bytes % 8:
        raise BadInput(
            f"--read can't be {point.read_bytes}: an entry of pagemap has 8 bytes",
            "give --read 64K, for example; 0: all in one read",
        )
    for key, end in (("vec_len", 2**63), ("max_pages", 2**32), ("ballast", 2**63), ("read_bytes", 2**63),
                     ("every_us", 10**7)):  # fmt: skip
        if not 0 <= getattr(point, key) < end:
            raise BadInput(
                f"{SETTINGS[key].option} can't be {getattr(point, key)}",
                f"give 0 to {end - 1}; the default is {DEFAULTS[key]}",
            )


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
