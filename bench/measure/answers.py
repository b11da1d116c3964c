# SPDX-License-Identifier: GPL-2.0-only
"""Asks an interface about pages whose truth is known, and says in words which answers are wrong, and how."""

from __future__ import annotations

import errno
from array import array
from typing import TYPE_CHECKING, NamedTuple

from bench.measure.core import Example, Mapping, Pattern, Tracker
from bench.plan.interfaces import ACCESSED, LEGACY, Interface
from bench.plan.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.measure.core import Interval

_READ_PAGE = 2  # that read(2) writes
_NOBODY = {"written": "wrote", "read": "read"}


class Answer(NamedTuple):
    """One answer. pages: reported, of so many that were asked for; wrong: how it is not the truth, empty if it is."""

    reported: int
    asked: int
    wrong: str


def answers(interface: Interface, mapping: Mapping) -> Iterator[Answer]:
    """Ask about some pages written twice over, about none, and about one that the kernel writes.

    An interface that does not flush the TLB is known to miss pages that were written before: it is asked about others
    each time.
    """
    rounds = ([5, 1, 4], [5, 1, 4], []) if interface.flushes else ([5], [1, 4], [0])
    with Tracker(interface.name, mapping) as tracker:
        for atomic in [False, True] if interface.atomic and interface.flushes else [False]:
            for order, reads in zip(rounds, (False, interface.prop == ACCESSED, False), strict=True):
                pattern = Pattern(array("I", order), mapping.pages, bytes([reads] * len(order)) if reads else None)
                truth = pattern.judge(interface.prop)
                found = tracker.run(pattern, 2 if interface.flushes else 1, atomic=atomic)
                for turn, one in enumerate(found):
                    reported = truth - one.missed + one.extra
                    wrong = _wrong(one, truth, KINDS[mapping.layout.kind].granule)
                    asked = f"{interface.asks} of {mapping.pages} pages"
                    done = "read" if reads else "written"
                    said = _said(asked, order, done, one, pattern.example(), turn, atomic=atomic)
                    yield Answer(reported, mapping.pages, said if wrong else "")
        if mapping.layout.outside is None:  # else its memory is not ours to write to
            yield _of_read(interface, mapping, tracker)


def unaware(interface: Interface, found: Sequence[Answer]) -> bool:
    """Whether the kernel takes every call, but does not track what the interface asks for: no lie, but no such thing.

    Soft-dirty bits that are not built in are never set, not even those of a new VMA that was written. An ioctl that has
    but the number of v6's answers the same whatever was written, also where pagemap's soft-dirty bits are right.
    """
    if not interface.soft_dirty or not same(found):
        return False
    with Mapping(8) as mapping, Tracker(LEGACY, mapping) as legacy:
        if not legacy.collect():
            return not any(one.reported for one in found)
        if not interface.draft:
            return False
        with Tracker(interface.name, mapping) as tracker:
            legacy.reset()
            before = tracker.collect()
            mapping.buffer()[4 * mapping.page_size] = b"x"
            return bool(before) or tracker.collect() != legacy.collect()


def same(found: Sequence[Answer]) -> bool:
    """Whether no page was ever reported, or each time all were, whatever was written."""
    return {min(one.reported, one.asked) for one in found} in ({0}, {one.asked for one in found})


def _wrong(one: Interval, written: int, unit: int) -> bool:
    """Whether an answer is wrong. In huge pages the whole one may be reported for one page of it."""
    return bool(one.missed) or one.extra > (unit - written if written and unit > 1 else 0)


def _of_read(interface: Interface, mapping: Mapping, tracker: Tracker) -> Answer:
    """Ask about a page that read(2) writes, or refuses to where only a program's own writes can be noted."""
    tracker.reset()
    written, how = [_READ_PAGE], f"after read(2) wrote page {_READ_PAGE}"
    with open("/proc/self/stat", "rb", buffering=0) as stat:
        try:
            stat.readinto(memoryview(mapping.buffer())[_READ_PAGE * mapping.page_size :])
        except OSError as error:
            if interface.kernel_writes or error.errno != errno.EFAULT:
                return Answer(0, mapping.pages, f"read(2) into memory that it tracks failed: {error.strerror}")
            written, how = [], "after read(2) was refused, which wrote nothing"
    ranges = tracker.collect()
    if not interface.addresses:
        count = tracker.total()
        said = f"asked for {interface.asks} {how}: it was {count}"
        return Answer(count, mapping.pages, "" if count == len(written) * KINDS[mapping.layout.kind].unit else said)
    reported = [page for first, end in ranges for page in range(max(0, first), min(end, mapping.pages))]
    right = ranges in (
        [(page, page + 1) for page in written],
        [(0, KINDS[mapping.layout.kind].granule)][: len(written)],
    )
    said = f"asked for {interface.asks} of {mapping.pages} pages {how}: reported {pages(reported[:9], len(reported))}"
    return Answer(len(reported), mapping.pages, "" if right else said)


def _said(
    asked: str, order: list[int], done: str, one: Interval, example: Example | None, turn: int, *, atomic: bool
) -> str:
    """A wrong answer: what was asked, done (written, or read) and reported."""
    what = f"asked {'in one call with the reset ' if atomic else ''}for {asked} "
    again = f", reset and {done} again" if turn else ""
    names = pages(sorted(order), len(order))
    after = f"after {'page' if len(order) == 1 else 'pages'} {names} {'was' if len(order) == 1 else 'were'} {done}"
    what += f"{after}{again}: " if order else f"of which none was {done}: "
    if example is None or (example.n_extra + example.outside, example.n_missed) != (one.extra, one.missed):
        return f"{what}{one.extra} were reported that nobody {_NOBODY[done]}, {one.missed} not that were {done}"
    if example.idle:
        what = f"asked for {asked} after a reset, and none {done} since: "
        order = []
    return what + _difference(example, order)


def _difference(example: Example, order: list[int]) -> str:
    """What was reported, then what of it is wrong."""
    if example.n_extra > len(example.extra) or example.n_missed > len(example.missed):
        return f"reported {len(order) - example.n_missed + example.n_extra} pages ({different(example)})"
    reported = {page for page in order if page not in example.missed} | {*example.extra}
    return f"reported {pages(sorted(reported), len(reported))} ({different(example)})"


def different(example: Example) -> str:
    """How a report differs from the truth, in pages by index: missed 5; extra 2,6."""
    parts = [f"missed {pages(example.missed, example.n_missed)}"] if example.n_missed else []
    parts += [f"extra {pages(example.extra, example.n_extra)}"] if example.n_extra else []
    parts += [f"{example.outside} twice or beyond what is tracked"] if example.outside else []
    return "; ".join(parts)


def pages(some: Sequence[int], count: int) -> str:
    """Pages by index: 1,4,8-31 and 7 more."""
    if not count:
        return "none"
    runs: list[list[int]] = []
    for page in some:
        if runs and page == runs[-1][-1] + 1:
            runs[-1].append(page)
        else:
            runs.append([page])
    shown = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs]
    return ",".join(shown) + (f" and {count - len(some)} more" if count > len(some) else "")
