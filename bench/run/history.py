# SPDX-License-Identifier: GPL-2.0-only
"""What `history` does: measures each of Debian's kernels once, keeps that small, and writes the page of all of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench import place
from bench.errors import (
    BadInput,
    BenchError,
    GuestFailed,
    PermissionDenied,
    ProgramFailed,
    Unsupported,
    WorkerFailed,
)
from bench.plan.interfaces import INTERFACES
from bench.plan.plan import Plan
from bench.plan.points import matches
from bench.plan.records import Facts
from bench.plan.suites import MEANING
from bench.run import commands, folders, resume
from bench.run.measuring import decided, many, site_of
from bench.run.request import Request
from bench.run.settle import need_core, settle
from bench.run.tell import note
from bench.store import history, log, packing
from bench.store.history import COUNTED, PLAYED, SUITES

if TYPE_CHECKING:
    from bench.vm.kernel import DebianKernel

_SECONDS = 120.0  # of a kernel, about, on a machine of two CPUs that does nothing else
_FAILING = 3  # kernels that are tried beyond a --limit, in place of those that can't be measured
_PLAYS = 3  # of a scenario: enough to see most races as what they are


def _in_kernel() -> tuple[str, ...]:
    """The interfaces that scenarios are played with: those in which the kernel does the work, and one path beside each.

    Handlers of faults in the program itself, and a third path, would take a guest as long again and say little more.
    """
    rows = [INTERFACES[name] for name in MEANING.interfaces]
    found = [row for row in rows if row.kernel_writes and not row.draft]
    paths = {row.path_of: row for row in reversed(found) if row.path_of}
    return tuple(row.name for row in found if not row.path_of or row in paths.values())


class Half(NamedTuple):
    """One of the two results that the history has of a kernel: its folder, and what is asked of a guest."""

    folder: str
    asked: Request


HALVES = (
    Half(COUNTED, Request(suite=SUITES[COUNTED], where="vm", accel="icount", processes=1, boots=1)),
    Half(PLAYED, Request(suite=SUITES[PLAYED], where="vm", accel="tcg", values=_PLAYS, interface=_in_kernel())),
)


@dataclass
class History:
    """The options of `history`, as typed."""

    only: tuple[str, ...] = ()
    limit: int | None = None
    dry_run: bool = False
    name: str = "history"


class Todo(NamedTuple):
    """A kernel of which something is missing: its version, and which halves."""

    version: str
    halves: tuple[Half, ...]


def run(request: History) -> None:
    """Measure what is missing, and write the page. Raises WorkerFailed where a kernel could not be measured."""
    top = commands.result_folder(request.name)
    folders.refuse_inside(top / COUNTED)
    todo = [] if request.limit == 0 else _missing(top, _listed(request.only))
    most = len(todo) if request.limit is None else min(request.limit, len(todo))
    if request.dry_run:
        _foretell(todo[:most])
        return
    if todo:
        _need_guests()
    failed: dict[str, BenchError] = {}
    try:
        for i, one in enumerate(todo[: most + _FAILING]):
            if (done := i - len(failed)) == most:  # those that fail are the first again the next time
                break
            note(f"{one.version}, {done + 1} of {most}")
            if trouble := _measured(top, one):
                failed[one.version] = trouble
                note(f"{one.version} was not measured: {trouble}")
    except KeyboardInterrupt as error:
        error.hint = "what was measured is kept, and the same command goes on"  # type: ignore[attr-defined]
        raise
    if history.versions(top) or not failed:
        _page(top)
    if failed:
        first, trouble = next(iter(failed.items()))
        more = f"; {len(failed)} kernels in all: {', '.join(failed)}" if len(failed) > 1 else ""
        hint = "; ".join(filter(None, [trouble.hint, "the same command tries them again"]))
        raise WorkerFailed(f"{first} was not measured: {trouble}{more}", hint)


def _need_guests() -> None:
    """Raise Unsupported where no kernel could be measured, or not by function: one error instead of forty."""
    from bench.vm import counting, qemu  # noqa: PLC0415

    need_core()
    qemu.candidates("icount", None)
    counting.compiled()


def _listed(only: Sequence[str]) -> list[DebianKernel]:
    """Return Debian's kernels, oldest first; only those meant, if any are named. Raises BadInput, Unsupported."""
    from bench.vm import kernel  # noqa: PLC0415  (only this needs the archive)

    found = kernel.debian_kernels(note)
    if unknown := [text for text in only if not any(_meant(one.version, text) for one in found)]:
        raise BadInput(f"Debian has no kernel {unknown[0]}", "./bench.py run --kernel debian: lists them")
    return [one for one in found if not only or any(_meant(one.version, text) for text in only)]


def _meant(version: str, text: str) -> bool:
    """Whether a version is that one, one of that series, or matches a pattern."""
    from bench.vm import kernel  # noqa: PLC0415

    return kernel.matches(version, text) or matches(version, text)


def _missing(top: Path, kernels: Sequence[DebianKernel]) -> list[Todo]:
    found = [
        Todo(one.version, tuple(half for half in HALVES if not history.whole(top / half.folder / one.version)))
        for one in kernels
    ]
    return [one for one in found if one.halves]


def _foretell(todo: Sequence[Todo]) -> None:
    """Print what would be measured."""
    from bench.run import progress  # noqa: PLC0415  (rich)
    from bench.vm import cache, stock  # noqa: PLC0415

    for one in todo:
        spec = f"debian:{one.version}"
        lacking, size = stock.missing(spec)
        fetched = f"; {lacking}, {size >> 20} MiB" if lacking else ""
        print(f"{spec:16} {', '.join(half.asked.suite for half in one.halves)}{fetched}")
    took = progress.human(_SECONDS * len(todo))
    print(f"{many(len(todo), 'kernel', 's')}: about {took}; what is fetched stays in {cache.place()}")


def _measured(top: Path, one: Todo) -> BenchError | None:
    """Measure what is missing of a kernel; return what went wrong first, unless no other kernel would fare better."""
    first: BenchError | None = None
    for half in one.halves:
        try:
            _measure(top / half.folder / one.version, f"debian:{one.version}", half)
        except (PermissionDenied, ProgramFailed):
            raise
        except BenchError as error:
            first = first or error
    return first


def _measure(folder: Path, spec: str, half: Half) -> None:
    """Measure a half to its end, from where it was left, and pack it."""
    if history.whole(folder):  # another command has measured it meanwhile
        return
    from bench.run import campaign  # noqa: PLC0415  (rich)
    from bench.run.share import Part  # noqa: PLC0415

    plan = settle(replace(half.asked, kernel=spec), _unsaid, note)
    site = site_of(plan)
    if site.unnamed:
        raise Unsupported(f"its instructions can't be counted by function: {site.unnamed}")
    plan = decided(plan, site)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(folder / log.PACKED):
            (folder / log.PACKED).unlink()
            note(f"{place.called(folder)} is measured anew: what was there is damaged, or lacks functions")
    except OSError as error:
        raise PermissionDenied(f"{folder} can't be written: {error.strerror}", "give --name another path") from None
    begun = _begun(folder, plan, site.facts)
    plan = begun or plan
    if not begun or resume.missing(log.read(folder / log.FILE)[0], plan):
        campaign.measure(Part(plan, site, folder))
    found = log.read(folder / log.FILE)[0]
    if resume.missing(found, plan):
        raise GuestFailed(f"{spec} came to no end", f"its console is in {folder}")
    if not history.named(found):
        log.remove(folder)
        raise GuestFailed(f"{spec} was counted without functions", "nothing of it is kept")
    size = -(-packing.pack(folder).stat().st_size // 1024)
    for console in folder.glob("guest*.log"):
        console.unlink()
    note(f"{place.called(folder)}: {size} KiB")


def _begun(folder: Path, plan: Plan, facts: Facts) -> Plan | None:
    """Return the plan of a log that was left unfinished, None where there is none.

    One that can't be gone on with is removed: it is of another plan or kernel, or a kill left it without its plan.
    """
    if not (folder / log.FILE).is_file():
        return None
    (folder / log.FILE).read_bytes()  # an OSError ends it: what the system refuses now may be whole
    try:
        begun = resume.plan_of(folder, None, note)
        resume.check_kernel(folder, facts)
    except BadInput as error:
        why = str(error)
    else:
        if begun._replace(date=plan.date, version=plan.version, command=plan.command) == plan:
            return begun
        why = "what was to be measured has changed since"
    log.remove(folder)
    note(f"{place.called(folder)} is measured anew: {why}")
    return None


def _unsaid(_: str) -> None:
    """Why a plan is as it is: here it is always the same one."""


def _page(top: Path) -> None:
    """Write the pages of what there is, and print the one of text. Raises PermissionDenied, after printing."""
    from bench.report import history_page  # noqa: PLC0415  (pandas and matplotlib: seconds)
    from plots import drawing  # noqa: PLC0415

    try:
        said = history_page.write(top, drawing.every)
    except PermissionDenied:
        print(history_page.text(top), end="")
        raise
    print(said, end="")
