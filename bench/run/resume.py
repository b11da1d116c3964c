# SPDX-License-Identifier: GPL-2.0-only
"""Goes on with a result: what its plan lacks, and more boots of the same."""

from __future__ import annotations

import platform
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from bench import place
from bench.errors import BadInput
from bench.plan.plan import SCHEMA, Plan
from bench.plan.records import Facts, Failed, Machine, Messages, Record
from bench.run.options import More
from bench.run.settle import Say
from bench.store import log


def plan_of(folder: Path, boots: int | None, say: Say) -> Plan:
    """Return the plan of the result in a folder, with as many boots as are wanted.

    boots: how many in all, as More how many more, None for those it was to have. Raises BadInput for what is no result
    of a run, or has so many already.
    """
    path, plan = folder / log.FILE, logged(folder)
    try:
        shlex.split(plan.command)
    except ValueError as error:
        raise BadInput(f"{path}: its command can't be read: {error}", "measure anew") from None
    if plan.merged:
        raise BadInput(f"{folder.name} was merged", f"go on with one of {', '.join(plan.merged)}, and merge again")
    if plan.schema != SCHEMA:
        raise BadInput(f"{folder.name} was begun by an older version of this suite", "measure anew")
    if plan.version != str(place.version()):
        say(f"It was begun by version {plan.version} of this suite; this is {place.version()}.")
    if boots is None:
        return plan
    if plan.scenarios:
        raise BadInput("--boots has no meaning in the suite meaning", "it boots once")
    wanted = plan.boots + boots if isinstance(boots, More) else boots
    if wanted < plan.boots:
        raise BadInput(f"{folder.name} has {plan.boots} boots", "give more, such as --boots +5")
    more = plan.with_boots(wanted)
    return more._replace(least_boots=0, until=0.0, command=re.sub(r" --until \S+", "", more.command))


def logged(folder: Path) -> Plan:
    """Return the plan of the result in a folder, as it is. Raises BadInput where that can't be gone on with."""
    path = folder / log.FILE
    found = log.find(folder)
    if found and found != path:
        raise BadInput(f"{folder} is packed", f"unpack {found} first")
    if not found:
        raise BadInput(f"{folder} has no {log.FILE} to go on with", "./bench.py list names the results there are")
    return _plan(log.read(path)[0], path)


def _plan(found: Sequence[Record], path: Path) -> Plan:
    if not found or not isinstance(found[0], Plan):
        raise BadInput(f"{path} has no plan in its first line", log.HINT)
    return found[0]


def check_kernel(folder: Path, facts: Facts) -> None:
    """Raise BadInput where the result in a folder is of another kernel than one with these facts."""
    for one in log.read(folder / log.FILE)[0]:
        if isinstance(one, Machine):
            for key in ("kernel_sha256", "kernel_image", "kernel_version"):
                if key in one.facts and key in facts and one.facts[key] != facts[key]:
                    raise BadInput(
                        f"{folder.name} is of another kernel: {one.facts[key]}, not {facts[key]}",
                        "measure this one into a result of its own",
                    )


def running() -> Facts:
    """Return what tells the running kernel from others, as check_kernel() takes it."""
    return {"kernel_version": platform.version(), "kernel_release": platform.release()}


def next_boot(folder: Path, plan: Plan, boot_id: str, say: Say) -> int | None:
    """Return which boot of a plan is the next one that the result in a folder lacks; None where it lacks none.

    boot_id: of the running kernel where that is what is measured, else empty. Raises BadInput where this boot is in the
    result already: what it says twice counts once.
    """
    found = log.read(folder / log.FILE)[0]
    boots = missing(found, plan)
    for one in found:
        if boot_id and isinstance(one, Machine) and one.facts.get("boot_id") == boot_id:
            if one.boot in boots:
                return one.boot
            if boots:
                raise BadInput(f"{folder.name} has this boot already", "reboot, and go on with --resume then")
    begun = {one.boot for one in found if isinstance(one, Machine)}
    if boot_id and boots and boots[0] in begun:
        say("The machine was rebooted since: the boot that was under way is measured anew.")
    return boots[0] if boots else None


def missing(found: Sequence[Record], plan: Plan) -> list[int]:
    """Return the boots of a plan that came to no good end, by the records that count."""
    ended = {one.boot for one in found if isinstance(one, Messages)}
    ended -= {one.boot for one in found if isinstance(one, Failed)}
    return [boot for boot in range(plan.boots) if boot not in ended]
