# SPDX-License-Identifier: GPL-2.0-only
"""Makes points of what was asked for, by themselves or in grids, and refuses what can't be, with a hint."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Any

from bench.errors import BadInput
from bench.plan import catalogue
from bench.plan.bystanders import BYSTANDERS
from bench.plan.kinds import KINDS, POPULATE, THEN
from bench.plan.points import DEFAULTS, LIVES, MAX_PAGES, MAX_THREADS, SHARING, Point
from bench.plan.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MAX_POINTS = 20_000  # of one plan: one record, and one table
# Which words a setting may have, besides its default.
WORDS: Mapping[str, Sequence[str]] = {
    "kind": tuple(KINDS),
    "populate": tuple(POPULATE),
    "sharing": SHARING,
    "masks": ("fast", "extra"),
    "bystanders": tuple(BYSTANDERS),
    "then": tuple(filter(None, THEN)),
    "life": tuple(filter(None, LIVES)),
}
Rule = tuple[object, str, str]  # whether it is broken, why that can't be, and what to do


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
    _check_numbers(point)
    for wrong, why, hint in (*_sizes(point), *_exclusions(point)):
        if wrong:
            raise BadInput(why, hint)
    return point


def _check_words(point: Point) -> None:
    """Raise BadInput for a word that is none of those there are."""
    for key, known in WORDS.items():
        word = getattr(point, key)
        if word not in known and word != DEFAULTS[key]:
            what = SETTINGS[key].option.removeprefix("--" if key == "kind" else "")
            raise BadInput(f"there is no {what} {word!r}", f"one of: {', '.join(known)}")


def _check_numbers(point: Point) -> None:
    """Raise BadInput for a number that can't be, whatever the others are."""
    threads = dict.fromkeys(("writers", "scanners", "trackers", "targets"), (1, MAX_THREADS))
    shares = dict.fromkeys(("prior_percent", "read_percent"), (0, 100))
    sizes = {"vec_len": (0, 2**63 - 1), "max_pages": (0, 2**32 - 1), "ballast": (0, 2**63 - 1)}
    sizes |= {"read_bytes": (0, 2**63 - 1), "every_us": (0, 10**7 - 1)}
    sizes |= {"paced": (0, MAX_THREADS), "budget": (1, MAX_PAGES), "period_us": (1, 10**7 - 1)}
    for key, (least, most) in (threads | shares | sizes).items():
        option, value = SETTINGS[key].option, getattr(point, key)
        if not least <= value <= most:
            unit = " %" if key in shares else ""
            raise BadInput(
                f"{option} can't be {value:g}{unit}",
                f"give {option} {least} to {most}{unit}; the default is {DEFAULTS[key]:g}",
            )


def _sizes(point: Point) -> Iterator[Rule]:
    """Yield what numbers have to do with each other, and with the kind of memory."""
    unit, units = KINDS[point.kind].unit, "folios" if KINDS[point.kind].folio else "huge pages"
    yield (
        point.pages % unit,
        f"{point.pages} pages make no whole {units}, which {point.kind} consists of",
        f"give --pages in steps of {unit}",
    )
    yield (
        not 1 <= point.vmas <= point.pages // unit,
        f"{point.pages} pages of {point.kind} can't be cut into {point.vmas} VMAs",
        f"give --vmas 1 to {point.pages // unit}",
    )
    for key in ("watch_percent", "populated_percent"):
        option = SETTINGS[key].option
        percent = getattr(point, key)
        yield not 0 < percent <= 100, f"{option} can't be {percent:g} %", f"give {option} more than 0, up to 100"
    yield (
        point.read_bytes % 8,
        f"--read can't be {point.read_bytes}: an entry of pagemap has 8 bytes",
        "give --read 64K, for example; 0: all in one read",
    )
    yield (
        point.paced > point.writers,
        f"{point.paced} of {point.writers} writers can't be --paced",
        "give --paced 0 to --writers",
    )
    several, most = max(point.targets, point.trackers), point.watched // unit
    yield (
        several > max(1, most),
        f"{several} can't share {most} {'pages' if unit == 1 else f'units of {unit} pages'}",
        f"give at most {most} --trackers and --targets",
    )


def _exclusions(point: Point) -> Iterator[Rule]:
    """Yield what excludes what: where nothing could be checked, or where nobody could tell what was measured."""
    written_twice = point.sharing != "disjoint" or catalogue.workload(point.workload).repeats
    yield (
        point.targets > 1 and catalogue.workload(point.workload).repeats,
        f"{point.workload} writes some pages often: no share of it is that of a process",
        "leave out --targets, or take another --workload",
    )
    crowd = max(point.writers, point.scanners, point.trackers, point.targets)
    yield (
        point.bystanders and crowd > 1,
        "--bystanders stand beside one tracker and one writer: others would take their CPU, and nobody could tell whom "
        "they wait for",
        "leave out --writers, --scanners, --trackers and --targets, or --bystanders",
    )
    yield (
        KINDS[point.kind].folio and point.targets > 1,
        f"folios of {point.kind} are looked at in one process",
        "leave out --targets, or take another --kind",
    )
    yield (
        point.external and point.writers > 1,
        "with --external only one thread can write",
        ("leave out --writers or --external"),
    )
    yield (
        point.concurrent and written_twice,
        (
            "--concurrent can't be checked where an interval writes a page twice: if only one of the two writes is "
            "reported, nobody can tell whether the other was lost"
        ),
        "leave out --concurrent, or what writes pages twice: --sharing, or the workload",
    )
    yield (
        point.concurrent and point.first,
        ("--first is about one reset and the writes after it; with --concurrent there are two resets an interval"),
        "leave out --first or --concurrent",
    )
    yield from _of_memory(point)
    yield from _of_lives(point)
    yield from _of_others(point)
    yield from _of_parts(point)


def _of_memory(point: Point) -> Iterator[Rule]:
    """Ways of making memory that do not go together."""
    by_writing, kind = point.populate == "write", KINDS[point.kind]
    yield (
        kind.folio and not by_writing,
        (f"--kind {point.kind} consists of folios that are made by writing, not with --populate {point.populate}"),
        "leave out --populate, or take another --kind",
    )
    yield (
        point.populated_percent < 100 and (not by_writing or kind.unit > 1),
        ("--populated below 100 % works page by page, by writing: not in huge pages, and not with other --populate"),
        "leave out --populated, or --populate and the kinds of huge pages",
    )
    yield (
        point.then and (not by_writing or point.populated_percent < 100),
        (f"--then {point.then} is checked by reading every page: they must be there"),
        "leave out --populate and --populated, or --then",
    )


def _of_lives(point: Point) -> Iterator[Rule]:
    """What a life, and what is done with pages, leave no room for."""
    yield (
        point.life and (point.bystanders or point.then),
        ("--life is that of a tracker that does nothing else, with nobody beside it"),
        "leave out --bystanders and --then, or --life",
    )
    yield (
        point.life and (point.concurrent or max(point.scanners, point.trackers) > 1),
        "--life is that of one thread, and has its own way of ending while somebody writes",
        "leave out --concurrent, --scanners and --trackers, or --life; --life busy has writers",
    )
    yield (
        point.life and (point.first or point.prior_percent),
        ("--life has the first reset as a phase of its own, arm, on memory that was never reset"),
        "leave out --first and --prior, or --life",
    )
    yield (
        point.life and point.targets > 1,
        "a life is that of one tracker of one process",
        ("leave out --life or --targets"),
    )
    for key in ("external", "concurrent", "first"):
        option = SETTINGS[key].option
        yield (
            point.then and getattr(point, key),
            (
                f"--then {point.then} and {option} exclude each other: what it leaves is checked in this process, and "
                "behind a report after which nobody writes, from the second one on"
            ),
            f"leave out {option} or --then",
        )


def _of_others(point: Point) -> Iterator[Rule]:
    """Bystanders, and writers that have a rhythm."""
    outside = [word for word, row in BYSTANDERS.items() if row.outside]
    yield (
        point.bystanders and point.concurrent,
        ("with --concurrent phases overlap each other, and nobody could tell which one a bystander waits for"),
        "leave out --bystanders or --concurrent",
    )
    yield (
        point.external and point.bystanders and point.bystanders not in outside,
        (f"no thread that does {point.bystanders} can be started in another process"),
        f"leave out --external, or give --bystanders {' or '.join(outside)}",
    )
    yield (
        not point.paced and {"budget", "period_us"} & point.changed.keys(),
        ("--budget and --period are the rhythm of paced writers"),
        "give --paced, or leave them out",
    )
    yield point.paced and point.external, "the writer of --external has no rhythm", "leave out --paced or --external"


def _of_parts(point: Point) -> Iterator[Rule]:
    """Several trackers, or tracked processes, that share the pages."""
    yield point.targets > 1 and not point.external, "--targets are other processes", "give --external too"
    yield (
        point.external and point.trackers > point.targets,
        "a process has one tracker from outside",
        (f"give --targets {point.trackers}, or fewer --trackers"),
    )
    whole = ["vmas", "prior_percent", "scanners"] + ["watch_percent", "populated_percent", "then"] * (point.targets > 1)
    options = ", ".join(SETTINGS[key].option for key in whole if key in point.changed)
    yield (
        max(point.targets, point.trackers) > 1 and options,
        (f"{options} and several trackers or targets exclude each other"),
        f"leave out {options}, or --trackers and --targets",
    )
