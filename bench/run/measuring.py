# SPDX-License-Identifier: GPL-2.0-only
"""What `run` does: settles a request, measures it into a folder, goes on with one."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench import place
from bench.errors import BadInput, ProgramFailed, Skipped, Unsupported
from bench.plan import arches
from bench.plan.interfaces import UNTRACKED
from bench.plan.plan import Plan
from bench.plan.records import INSTRUCTIONS
from bench.run import commands, folders, tell
from bench.run.options import TAP
from bench.run.request import Request
from bench.run.settle import need_core, settle
from bench.run.tell import note
from bench.store import log

if TYPE_CHECKING:
    from bench.run.machines import Site


def run(request: Request) -> None:
    """Measure what was asked for into a new folder, or go on with one, and end with the report."""
    tell.choose(request.style)
    if request.kernel == "debian:":
        commands.list_kernels(request.arch)
        return
    need_core()
    if request.resume:
        request.refuse_beside_resume()
        folder = commands.existing(str(request.resume))
    else:
        folder = commands.result_folder(request.name or stamped(request.suite))
    with _skipping(request.form), folders.resumable(folder):
        if request.resume:
            _go_on(request, folder)
        else:
            _begin(request, folder)
        commands.report(str(folder.resolve()), form=request.form)
        from bench.report import gate  # noqa: PLC0415  (pandas: half a second)

        gate.refuse_wrong(folder)


@contextmanager
def _skipping(form: str) -> Iterator[None]:
    """In TAP what can't be measured at all is skipped, as ksft_exit_skip() of kselftest says it. Raises Skipped.

    A program that is missing here says nothing of the kernel: that stays an error.
    """
    try:
        yield
    except Unsupported as error:
        if form != TAP or isinstance(error, ProgramFailed):
            raise
        print(f"TAP version 13\n1..0 # SKIP {' '.join(str(error).replace('#', '').split())}")
        raise Skipped(str(error), error.hint) from None


def _begin(request: Request, folder: Path) -> None:
    """Measure what was asked for into a new folder."""
    from bench.run import campaign  # noqa: PLC0415  (rich)
    from bench.run.share import Part  # noqa: PLC0415

    reasons: list[str] = []
    folders.recover(folder)
    folders.check(folder, force=bool(request.force))  # before a kernel is built for nothing
    plan = settle(request, reasons.append, note)
    site = site_of(plan)
    plan = decided(plan, site)
    with folders.new(folder, force=bool(request.force)):
        for line in (described(plan, site), *reasons, *site.remarks, *disturbed(plan, site)):
            note(line)
        campaign.measure(Part(plan, site, folder))


def _go_on(request: Request, folder: Path) -> None:
    """Measure what a result lacks."""
    from bench.measure import machine  # noqa: PLC0415
    from bench.run import campaign, resume  # noqa: PLC0415
    from bench.run.share import Part  # noqa: PLC0415

    if not log.find(folder) and folders.below(folder):
        raise BadInput(f"{folder.name} is a matrix", f"./bench.py matrix --resume {place.called(folder)}")
    plan = resume.plan_of(folder, request.boots, note)
    site = site_of(plan)
    here = plan.where == "here"
    resume.check_kernel(folder, resume.running() if here else site.facts)
    boot = resume.next_boot(folder, plan, machine.boot_id() if here else "", note)
    if boot is None:
        note(f"{folder.name} is complete: --boots +5 would add boots.")
    else:
        for line in (f"Going on with {folder.name}.", *site.remarks, *disturbed(plan, site)):
            note(line)
        campaign.measure(Part(plan, site, folder), only=(0, boot) if here else None)


def disturbed(plan: Plan, site: Site) -> list[str]:
    """Return what disturbs times here, and the smallest change that will be found; nothing for counts and verdicts."""
    if not plan.points or plan.counted:
        return []
    from bench.measure import machine  # noqa: PLC0415

    return list(machine.before(plan.processes, guest=site.guest))


def site_of(plan: Plan) -> Site:
    """Return where the plan is measured."""
    from bench.run import machines  # noqa: PLC0415

    if plan.where == "here":
        return machines.here()
    from bench.vm import cache, kernel, qemu  # noqa: PLC0415

    arch = arches.find(plan.arch)
    qemu.need(plan.accel or "auto", arch)
    cache.hold()
    image = kernel.find(plan.kernel, echo=note, arch=arch)
    otherwise = "tcg" if plan.scenarios else "icount"  # counting instructions would leave scenarios one CPU for nothing
    accel = qemu.accelerator(plan.accel, image.path, machines.GUEST_PACKAGES, note, otherwise=otherwise, arch=arch)
    return machines.guests(plan, image, accel, note)


def decided(plan: Plan, site: Site) -> Plan:
    """Return the plan with what choosing the site decided: another machine is to repeat this, not to choose again."""
    command = with_accel(plan.command, site.accel)
    return plan._replace(counted=site.quantity == INSTRUCTIONS, accel=site.accel, command=command)


def with_accel(command: str, accel: str) -> str:
    """Return a command with another --accel, where it has one."""
    words = shlex.split(command)
    if "--accel" in words:
        words[words.index("--accel") + 1] = accel
    return shlex.join(words)


def described(plan: Plan, site: Site) -> str:
    """What a run will do, and about how long that takes."""
    from bench.run import progress  # noqa: PLC0415

    if plan.scenarios:
        what = f"Playing {many(len(plan.scenarios), 'scenario', 's')}, each {many(plan.values, 'time', 's')}"
    else:
        what = f"Measuring {many(len(plan.points), 'point', 's')}, each in {many(plan.processes, 'process', 'es')}"
    boots = f", {many(plan.boots, 'boot', 's')}" if site.guest else ""
    most = f", until +-{plan.until:g} % or at most so often" if plan.until else ""
    took = progress.human(progress.estimate((plan, site)))
    tracking = ", ".join(name for name in plan.expected if name != UNTRACKED)
    return f"{what}, with {tracking}, on {site.title}{boots}{most}: about {took}."


def many(count: int, one: str, ending: str) -> str:
    """Return a number of something in words: 1 boot, 3 boots."""
    return f"{count} {one}{ending if count != 1 else ''}"


def stamped(what: str) -> str:
    """Return the name of a result that was given none."""
    return time.strftime(f"{what}-%Y%m%d-%H%M%S")
