# SPDX-License-Identifier: GPL-2.0-only
"""What `run` does: settles a request, measures it into a folder, goes on with one."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BadInput, PermissionDenied
from bench.plan.interfaces import UNTRACKED
from bench.plan.plan import Plan
from bench.plan.records import INSTRUCTIONS
from bench.run import commands
from bench.run.commands import note
from bench.run.request import Request
from bench.run.settle import need_core, settle
from bench.store import log

if TYPE_CHECKING:
    from bench.run.machines import Site


def run(request: Request) -> None:
    """Measure what was asked for into a new folder, or go on with one, and end with the report."""
    if request.kernel == "debian:":
        commands.list_kernels()
        return
    from bench.run import campaign  # noqa: PLC0415  (rich)

    need_core()
    if request.resume:
        folder = _resumed(request)
    else:
        reasons: list[str] = []
        plan = settle(request, reasons.append, note)
        site = site_of(plan)
        plan = decided(plan, site)
        folder = commands.result_folder(request.name or stamped(request.suite))
        with new_folders(folder):
            for line in (_described(plan, site), *reasons, *site.remarks, *disturbed(plan, site)):
                note(line)
            campaign.measure(campaign.Part(plan, site, folder))
    commands.report(str(folder.resolve()), form=request.form)
    commands.refuse_wrong(folder)


def _resumed(request: Request) -> Path:
    """Measure what a result lacks, and return its folder."""
    from bench.measure import machine  # noqa: PLC0415
    from bench.run import campaign, resume  # noqa: PLC0415

    request.refuse_beside_resume()
    folder = commands.existing(str(request.resume))
    if not log.find(folder) and any(folder.glob(f"*/{log.FILE}")):
        raise BadInput(f"{folder.name} is a matrix", f"./bench.py matrix --resume {request.resume}")
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
        campaign.measure(campaign.Part(plan, site, folder), only=(0, boot) if here else None)
    return folder


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
    from bench.vm import kernel, qemu  # noqa: PLC0415

    image = kernel.find(plan.kernel, echo=note)
    otherwise = "tcg" if plan.scenarios else "icount"  # counting instructions would leave scenarios one CPU for nothing
    accel = qemu.accelerator(plan.accel, image.path, machines.GUEST_PACKAGES, note, otherwise=otherwise)
    return machines.guests(plan, image, accel, note)


def decided(plan: Plan, site: Site) -> Plan:
    """Return the plan with what choosing the site decided: another machine is to repeat this, not to choose again."""
    words = shlex.split(plan.command)
    if "--accel" in words:
        words[words.index("--accel") + 1] = site.accel
    return plan._replace(counted=site.quantity == INSTRUCTIONS, accel=site.accel, command=shlex.join(words))


def _described(plan: Plan, site: Site) -> str:
    """What a run will do, and about how long that takes."""
    from bench.run import progress  # noqa: PLC0415

    if plan.scenarios:
        what = f"Playing {_many(len(plan.scenarios), 'scenario', 's')}, each {_many(plan.values, 'time', 's')}"
    else:
        what = f"Measuring {_many(len(plan.points), 'point', 's')}, each in {_many(plan.processes, 'process', 'es')}"
    boots = f", {_many(plan.boots, 'boot', 's')}" if site.guest else ""
    took = progress.human(progress.estimate((plan, site)))
    tracking = ", ".join(name for name in plan.expected if name != UNTRACKED)
    return f"{what}, with {tracking}, on {site.title}{boots}: about {took}."


def _many(count: int, one: str, ending: str) -> str:
    return f"{count} {one}{ending if count != 1 else ''}"


def stamped(what: str) -> str:
    """Return the name of a result that was given none."""
    return time.strftime(f"{what}-%Y%m%d-%H%M%S")


@contextmanager
def new_folders(*folders: Path) -> Iterator[None]:
    """Make the folders of a run, the one around the others first, and remove again what nothing was measured into.

    Raises BadInput if one exists, since a result is never overwritten, and PermissionDenied where making it is refused.
    """
    made: list[Path] = []
    try:
        for folder in folders:
            made += reversed([path for path in (folder, *folder.parents) if not path.exists()])
            folder.mkdir(parents=True)
    except FileExistsError:
        raise BadInput(
            f"{folder} exists", "choose another --name, remove it first, or go on with it: --resume"
        ) from None
    except OSError as error:
        raise PermissionDenied(
            f"{folder} can't be made: {error.strerror}",
            "give --name a path you may write to, such as --name /tmp/first",
        ) from None
    try:
        yield
    finally:
        for path in reversed(made):
            with suppress(OSError):  # not empty: it stays
                path.rmdir()
