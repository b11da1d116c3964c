# SPDX-License-Identifier: GPL-2.0-only
"""Base against patched in one command: several kernels in turn, a result of each, then their comparison."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from bench.errors import BadInput, BenchError, GuestFailed, LimitExceeded, NoVerdict, Unsupported, WorkerFailed
from bench.plan.plan import Plan
from bench.run import commands, resume
from bench.run.campaign import Part
from bench.run.commands import note
from bench.run.measuring import decided, disturbed, new_folders, site_of, stamped
from bench.run.request import Request
from bench.run.settle import need_core, settle
from bench.store import log

LETTER = "cover-letter.txt"
HERE_BOOTS = 8  # of a real machine: so many on each side can tell anything of the 88 cases of quick


class Wanted(NamedTuple):
    """What `matrix` is asked for: kernels by label, the base first, what is measured of each, and what is a failure."""

    kernels: tuple[tuple[str, str], ...]
    request: Request
    fail_on: float | None = None


def run(wanted: Wanted) -> None:
    """Measure every kernel, in turn, and print the comparison. Raises WrongAnswer; with --fail-on as that says."""
    need_core()
    request = wanted.request
    if request.resume:
        folder, parts = _resumed(request)
        trouble = _measured(parts, folder)
    else:
        parts, reasons = _settled(wanted)
        folder = parts[0].folder.parent
        with new_folders(folder, *(part.folder for part in parts)):
            for line in (_described(parts), *reasons):
                note(line)
            trouble = _measured(parts, folder)
    _conclude(folder, parts, wanted.fail_on, trouble)


def _conclude(folder: Path, parts: Sequence[Part], fail_on: float | None, trouble: BenchError | None) -> None:
    """Compare what was measured, as far as it can be; raise what must not be hidden."""
    whole = [part.folder for part in parts if log.find(part.folder)]
    full = len(whole) == len(parts) and not _lacking(parts)
    try:
        if full or (trouble and len(whole) == len(parts)):
            _compare(folder, parts, fail_on)
    except BadInput as error:
        if not trouble:
            raise
        note(f"No comparison: {error}")  # what was measured before the trouble has nothing in common
    except LimitExceeded:
        if trouble:
            note(f"{trouble}\n{trouble.hint}")
        raise
    if trouble:
        raise trouble
    if not full and fail_on is not None:
        raise NoVerdict("no verdict: boots are missing", f"./bench.py matrix --resume {folder.name} --fail-on ...")
    if full and fail_on is None:
        commands.refuse_wrong(*whole)


def _measured(parts: Sequence[Part], folder: Path) -> BenchError | None:
    """Measure what is lacking; return what went wrong: what was measured is shown all the same."""
    from bench.run import campaign  # noqa: PLC0415  (rich)

    remarks = dict.fromkeys(remark for part in parts for remark in part.site.remarks)
    for line in (*remarks, *disturbed(parts[0].plan, parts[0].site)):
        note(line)
    try:
        if parts[0].plan.where == "here":
            _measure_here(parts, folder)
        else:
            campaign.measure(*parts)
    except (GuestFailed, WorkerFailed, Unsupported) as error:
        return error
    return None


def _settled(wanted: Wanted) -> tuple[list[Part], list[str]]:
    """Settle what is measured of each kernel, and why so. Raises BadInput."""
    request, labels = wanted.request, [label for label, _ in wanted.kernels]
    if len(labels) < 2:
        raise BadInput(
            "a matrix needs two kernels", "give --kernel base=debian:6.12 --kernel patched=IMAGE, the base first"
        )
    if len(set(labels)) < len(labels):
        raise BadInput(f"two kernels have one name: {', '.join(labels)}", "give each --kernel another NAME=IMAGE")
    here = request.where == "here"
    plans: list[Plan] = []
    reasons: dict[str, None] = {}
    for _, image in wanted.kernels:
        boots = None if here else request.boots
        one = replace(request, where="here" if here else "vm", kernel=None if here else image, boots=boots)
        plan = settle(one, lambda said: reasons.update({said: None}), note)
        plans.append(plan._replace(kernel=image))
    if here:  # each boot measures what a run here does
        plans = [plan.with_boots(request.boots or HERE_BOOTS) for plan in plans]
    if plans[0].boots == 1:
        plans[0] = plans[0].with_boots(2)  # one before the others and one after them
    sites = [site_of(plan) for plan in plans]
    plans = [_named(decided(plan, site), wanted.kernels) for plan, site in zip(plans, sites, strict=True)]
    folder = commands.result_folder(request.name or stamped("matrix"))
    parts = [Part(plan, site, folder / label, label) for plan, site, label in zip(plans, sites, labels, strict=True)]
    return parts, list(reasons)


def _named(plan: Plan, kernels: Sequence[tuple[str, str]]) -> Plan:
    """Return the plan with the line that repeats the whole matrix, and its labels."""
    words = shlex.split(plan.command)
    words[1] = "matrix"
    if "--kernel" in words:
        at = words.index("--kernel")
        del words[at : at + 2]
    words[2:2] = [word for label, image in kernels for word in ("--kernel", f"{label}={image}")]
    return plan._replace(command=shlex.join(words), matrix=tuple(label for label, _ in kernels))


def _described(parts: Sequence[Part]) -> str:
    from bench.run import progress  # noqa: PLC0415

    took = progress.human(progress.estimate(*((part.plan, part.site) for part in parts)))
    kernels = "; ".join(f"{part.label}: {part.site.title}" for part in parts)
    boots = " + ".join(str(part.plan.boots) for part in parts)
    return f"Measuring {len(parts[0].plan.points)} points on {kernels}; {boots} boots in turn: about {took}."


def _resumed(request: Request) -> tuple[Path, list[Part]]:
    """Return the parts of a matrix that is there. Raises BadInput."""
    request.refuse_beside_resume()
    folder = commands.existing(str(request.resume))
    found = sorted(path.parent for path in folder.glob(f"*/{log.FILE}"))
    if not found:
        raise BadInput(f"{folder} is no matrix", "./bench.py list names the results there are")
    labels = resume.plan_of(found[0], None, note).matrix
    if not labels:
        raise BadInput(f"{folder} is no matrix, but has results of its own", "./bench.py run --resume goes on with one")
    parts = []
    for label in labels:
        if not (folder / label / log.FILE).is_file():
            raise BadInput(f"{folder.name} lacks {label}, of which nothing was measured", "measure the matrix anew")
        plan = resume.plan_of(folder / label, request.boots, note)
        site = site_of(plan)
        if plan.where != "here":
            resume.check_kernel(folder / label, site.facts)
        parts.append(Part(plan, site, folder / label, label))
    note(f"Going on with {folder.name}.")
    return folder, parts


def _lacking(parts: Sequence[Part]) -> list[tuple[str, int]]:
    """Return how many boots are lacking, by label."""
    found = []
    for part in parts:
        records = log.read(part.folder / log.FILE)[0]
        plan = records[0] if records and isinstance(records[0], Plan) else part.plan
        if missing := resume.missing(records, plan):
            found.append((part.label, len(missing)))
    return found


def _measure_here(parts: Sequence[Part], folder: Path) -> None:
    """Measure one boot of the kernel that is running, and say what is next."""
    from bench.measure import machine  # noqa: PLC0415
    from bench.run import campaign  # noqa: PLC0415

    index = _running(parts)
    part = parts[index]
    boot: int | None = 0
    if log.find(part.folder):
        resume.check_kernel(part.folder, resume.running())
        boot = resume.next_boot(part.folder, part.plan, machine.boot_id(), note)
    if boot is None:
        note(f"{part.label} has all its boots.")
    else:
        campaign.measure(*parts, only=(index, boot))
    if lacking := _lacking(parts):
        left = ", ".join(f"{count} of {label}" for label, count in lacking)
        label = max(lacking, key=lambda one: one[1])[0]
        note(f"Boots to go: {left}. Boot {label} next, then: ./bench.py matrix --resume {folder.name}")


def _running(parts: Sequence[Part]) -> int:
    """Return whose kernel is running. Raises BadInput where that can't be told."""
    from bench.vm import kernel  # noqa: PLC0415

    release = platform.release()
    known = [kernel.release(part.plan.kernel) for part in parts]
    found = [i for i, one in enumerate(known) if one == release]
    if len(found) != 1:
        kernels = ", ".join(f"{part.label} is {one}" for part, one in zip(parts, known, strict=True))
        raise BadInput(
            f"the running kernel is {release}; {kernels}",
            "boot one of them, and give each a release of its own (CONFIG_LOCALVERSION)",
        )
    return found[0]


def _compare(folder: Path, parts: Sequence[Part], fail_on: float | None) -> None:
    """Print the comparison, and keep it with its plots and the cover letter's block."""
    names = [str(part.folder.resolve()) for part in parts]
    if not parts[0].plan.scenarios:  # which have no block
        commands.cover_letter(tuple(names), into=None, keep=folder / LETTER)
        note(f"The block for a cover letter: {folder / LETTER}")
    commands.compare(commands.Comparing(tuple(names), name=str(folder.resolve()), fail_on=fail_on))
