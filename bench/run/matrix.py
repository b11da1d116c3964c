# SPDX-License-Identifier: GPL-2.0-only
"""Base against patched in one command: several kernels in turn, a result of each, then their comparison."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from bench import place
from bench.errors import BadInput, BenchError, GuestFailed, LimitExceeded, NoVerdict, Unsupported, WorkerFailed
from bench.plan.plan import Plan
from bench.run import commands, folders, resume, tell
from bench.run.measuring import decided, disturbed, site_of, stamped
from bench.run.options import Percent
from bench.run.request import Request
from bench.run.settle import Counts, Say, need_core, settle
from bench.run.share import Part
from bench.run.tell import note
from bench.store import log

HERE_BOOTS = 8  # of a real machine: so many on each side can tell anything of the 88 cases of quick


class Wanted(NamedTuple):
    """What `matrix` is asked for: kernels by label, the base first, what is measured of each, and what is a failure."""

    kernels: tuple[tuple[str, str], ...]
    request: Request
    fail_on: float | str | None = None


def run(wanted: Wanted) -> None:
    """Measure every kernel, in turn, and print the comparison. Raises WrongAnswer; with --fail-on as that says."""
    request = wanted.request
    tell.choose(request.style)
    need_core()
    if request.resume:
        request.refuse_beside_resume()
        folder = commands.existing(str(request.resume))
    else:
        check_labels([label for label, _ in wanted.kernels])
        folder = commands.result_folder(request.name or stamped("matrix"))
    with folders.resumable(folder, "matrix"):
        if request.resume:
            parts = _parts(request, folder)
            _check_limit(parts, wanted.fail_on)
            trouble = _measured(parts, folder)
        else:
            parts, trouble = _begun(wanted, folder)
        _conclude(folder, parts, wanted.fail_on, trouble)


def _begun(wanted: Wanted, folder: Path) -> tuple[list[Part], BenchError | None]:
    """Measure into a new folder; return the parts, and what went wrong."""
    folders.recover(folder)
    folders.check(folder, force=bool(wanted.request.force))
    parts, reasons = _settled(wanted, folder)
    _check_limit(parts, wanted.fail_on)
    with folders.new(folder, *(part.folder for part in parts), force=bool(wanted.request.force)):
        for line in (described(parts), *reasons):
            note(line)
        trouble = _measured(parts, folder)
        if trouble and folders.bare(folder):
            raise trouble  # there is nothing to compare
        return parts, trouble


def _check_limit(parts: Sequence[Part], limit: float | str | None) -> None:
    """Raise BadInput, before hours are spent, for a limit that is for verdicts where times are measured."""
    if isinstance(limit, str) and not parts[0].plan.scenarios:
        from bench.report import gate  # noqa: PLC0415  (pandas: half a second)

        raise gate.no_verdicts(limit)


def _conclude(folder: Path, parts: Sequence[Part], fail_on: float | str | None, trouble: BenchError | None) -> None:
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
        limit = fail_on if isinstance(fail_on, str) else Percent(fail_on)
        again = f"./bench.py matrix --resume {place.called(folder)} --fail-on {limit}"
        raise NoVerdict("no verdict: boots are missing", again)
    if full and fail_on is None:
        from bench.report import gate  # noqa: PLC0415  (pandas: half a second)

        gate.refuse_wrong(*whole)


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


def check_labels(labels: Sequence[str]) -> None:
    """Raise BadInput for names of kernels that can't be those of a matrix."""
    if len(labels) < 2:
        raise BadInput(
            "a matrix needs two kernels", "give --kernel base=debian:6.12 --kernel patched=IMAGE, the base first"
        )
    if len(set(labels)) < len(labels):
        raise BadInput(f"two kernels have one name: {', '.join(labels)}", "give each --kernel another NAME=IMAGE")
    if taken := [label for label in labels if folders.is_ours(label)]:
        raise BadInput(f"a matrix has a file of the name {taken[0]}", "give that --kernel another NAME=IMAGE")


def plans_of(wanted: Wanted, say: Say, counts: Counts | None = None) -> list[Plan]:
    """Settle what is measured of each kernel, and why so; counts: of settle(). Raises BadInput."""
    request, here = wanted.request, wanted.request.where == "here"
    plans: list[Plan] = []
    for _, image in wanted.kernels:
        one = replace(request, where="here" if here else "vm", kernel=None if here else image)
        if here:  # each boot measures what a run here does, and boots are what can be enough
            one = replace(one, boots=None, until=None)
        plans.append(settle(one, say, note, counts)._replace(kernel=image))
    if here:
        boots, until = request.boots or HERE_BOOTS, float(request.until or 0)
        plans = [plan.with_boots(boots)._replace(until=until) for plan in plans]
    if plans[0].boots == 1:
        plans[0] = plans[0].with_boots(2)  # one before the others and one after them
    return plans


def _settled(wanted: Wanted, folder: Path) -> tuple[list[Part], list[str]]:
    """Settle what is measured of each kernel into this folder, and why so. Raises BadInput."""
    reasons: dict[str, None] = {}
    plans = plans_of(wanted, lambda said: reasons.update({said: None}))
    sites = [site_of(plan) for plan in plans]
    plans = [named(decided(plan, site), wanted.kernels) for plan, site in zip(plans, sites, strict=True)]
    labels = [label for label, _ in wanted.kernels]
    parts = [Part(plan, site, folder / label, label) for plan, site, label in zip(plans, sites, labels, strict=True)]
    return parts, list(reasons)


def named(plan: Plan, kernels: Sequence[tuple[str, str]]) -> Plan:
    """Return the plan with the line that repeats the whole matrix, and its labels."""
    words = shlex.split(plan.command)
    words[1] = "matrix"
    if "--kernel" in words:
        at = words.index("--kernel")
        del words[at : at + 2]
    if plan.until and "--until" not in words:
        words += ["--until", str(Percent(plan.until))]
    words[2:2] = [word for label, image in kernels for word in ("--kernel", f"{label}={image}")]
    return plan._replace(command=shlex.join(words), matrix=tuple(label for label, _ in kernels))


def described(parts: Sequence[Part]) -> str:
    """What a matrix will do, and about how long that takes."""
    from bench.run import progress  # noqa: PLC0415

    took = progress.human(progress.estimate(*((part.plan, part.site) for part in parts)))
    kernels = "; ".join(f"{part.label}: {part.site.title}" for part in parts)
    most = f", until +-{parts[0].plan.until:g} % or at most so many" if parts[0].plan.until else ""
    boots = " + ".join(str(part.plan.boots) for part in parts)
    return f"Measuring {len(parts[0].plan.points)} points on {kernels}; {boots} boots in turn{most}: about {took}."


def results_of(folder: Path) -> list[Path]:
    """Return the folders of the results of a matrix, the base first. Raises BadInput where it is none, or lacks one."""
    found = folders.below(folder)
    if not found:
        raise BadInput(f"{folder} is no matrix", "./bench.py list names the results there are")
    labels = next((some for one in found if one.name in (some := resume.logged(one).matrix)), ())
    if not labels:
        raise BadInput(f"{folder} is no matrix, but has results of its own", "./bench.py run --resume goes on with one")
    for label in labels:
        if folder / label not in found:
            raise BadInput(f"{folder.name} lacks {label}, of which nothing was measured", "measure the matrix anew")
    return [folder / label for label in labels]


def _parts(request: Request, folder: Path) -> list[Part]:
    """Return the parts of a matrix that is there. Raises BadInput."""
    parts = []
    for one in results_of(folder):
        plan = resume.plan_of(one, request.boots, note)
        site = site_of(plan)
        if plan.where != "here":
            resume.check_kernel(one, site.facts)
        parts.append(Part(plan, site, one, one.name))
    note(f"Going on with {folder.name}.")
    return parts


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
        note(f"Boots to go: {left}. Boot {label} next, then: ./bench.py matrix --resume {place.called(folder)}")


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


def _compare(folder: Path, parts: Sequence[Part], fail_on: float | str | None) -> None:
    """Print the comparison, and keep it with its plots and the cover letter's block."""
    names = [str(part.folder.resolve()) for part in parts]
    commands.cover_letter(tuple(names), into=None, keep=folder / folders.LETTER)
    note(f"The block for a cover letter: {folder / folders.LETTER}")
    commands.compare(commands.Comparing(tuple(names), name=str(folder.resolve()), fail_on=fail_on))
