# SPDX-License-Identifier: GPL-2.0-only
"""What --dry-run says: what a run or matrix would measure, where, how long, and with how much memory and disk.

Nothing is made, fetched or booted for that, so two ways are shown where only a trial of KVM could tell which it is.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.plan import arches
from bench.plan.interfaces import INTERFACES, UNTRACKED
from bench.plan.plan import Plan
from bench.run import commands, folders, machines, progress, resume, tell
from bench.run import matrix as matrices
from bench.run.machines import Site
from bench.run.measuring import decided, many, stamped, with_accel
from bench.run.request import Request
from bench.run.settle import need_core, settle
from bench.store import log

if TYPE_CHECKING:
    from bench.vm.qemu import Accelerator

# Bytes of a result, about: its pages and plots; of each series of a process what is kept, and for pyperf; more where
# functions are counted; of a scenario with one interface
PAGES, SERIES, VALUE, FUNCTIONS, PLAY = 600_000, 2500, 60, 8000, 300
MIB = 1 << 20


class Way(NamedTuple):
    """One way in which a kernel may be measured. `left`: the boots that are to be done, of those of the plan."""

    label: str
    plan: Plan
    site: Site
    left: Sequence[int]

    @property
    def seconds(self) -> float:
        """About how long it takes."""
        return progress.estimate((self.plan, self.site)) * len(self.left) / self.plan.boots

    @property
    def disk(self) -> int:
        """About how many bytes the result has."""
        plays = len(self.plan.scenarios) * len(self.plan.interfaces)
        forms = [len(point.forms(INTERFACES[name] for name in self.plan.expected)) for point in self.plan.points]
        series = sum(forms) * self.plan.processes
        each = SERIES + VALUE * self.plan.values + (FUNCTIONS if self.plan.counted else 0)
        return PAGES + series * each + plays * PLAY

    def facts(self) -> dict[str, Any]:
        """What it is, for machines."""
        plan, guest = self.plan, self.site.guest
        return {
            "kernel": self.label or plan.kernel,
            "where": self.site.title,
            "arch": plan.arch if guest else platform.machine(),
            "suite": plan.suite,
            "points": [point.name for point in plan.points] or list(plan.scenarios),
            "interfaces": [name for name in plan.expected if name != UNTRACKED],
            "optional": list(plan.optional),
            "boots": plan.boots if guest else 1,
            "boots_left": len(self.left),
            "least_boots": plan.least_boots,
            "processes": plan.processes,
            "values": plan.values,
            "until_percent": plan.until,
            "seconds": round(self.seconds),
            "worker_bytes": plan.bytes_needed,
            "guest_bytes": machines.guest_memory(plan) if guest else 0,
            "guests_at_once": self.site.at_once if guest else 0,
            "result_bytes": self.disk,
            "command": plan.command,
        }


class Foreseen(NamedTuple):
    """All of it: for each alternative the kernels; where the result would be; why, and what would be fetched first."""

    alternatives: list[list[Way]]
    folder: Path
    reasons: list[str]
    cache: Path
    fetched: list[str]
    cache_bytes: int


def run(request: Request) -> None:
    """Print what `run` would do. Raises BadInput for what it would refuse."""
    tell.choose(request.style)
    if request.kernel == "debian:":
        commands.list_kernels(request.arch)
        return
    need_core()
    if request.resume:
        folder = commands.existing(str(request.resume))
        request.refuse_beside_resume()
        _print(_of(lambda at, say: [_resumed(folder, "", request.boots, at)], folder))
        return
    folder = commands.result_folder(request.name or stamped(request.suite))
    folders.check(folder, force=bool(request.force))

    def ways(at: int, say: Any) -> list[Way]:
        plan = settle(
            request, say, tell.note, lambda placed: _accel(placed.accel, str(placed.kernel), placed.arch, at).counted
        )
        return [_way("", plan, at)]

    _print(_of(ways, folder))


def matrix(wanted: matrices.Wanted) -> None:
    """Print what `matrix` would do. Raises BadInput for what it would refuse."""
    request, labels = wanted.request, [label for label, _ in wanted.kernels]
    tell.choose(request.style)
    need_core()
    if request.resume:
        folder = commands.existing(str(request.resume))
        request.refuse_beside_resume()
        found = matrices.results_of(folder)
        _print(_of(lambda at, say: [_resumed(one, one.name, request.boots, at) for one in found], folder))
        return
    matrices.check_labels(labels)
    folder = commands.result_folder(request.name or stamped("matrix"))
    folders.check(folder, force=bool(request.force))

    def ways(at: int, say: Any) -> list[Way]:
        plans = matrices.plans_of(wanted, say, lambda one: _accel(one.accel, str(one.kernel), one.arch, at).counted)
        found = [_way(label, plan, at) for label, plan in zip(labels, plans, strict=True)]
        return [one._replace(plan=matrices.named(one.plan, wanted.kernels)) for one in found]

    _print(_of(ways, folder))


def _of(ways: Any, folder: Path) -> Foreseen:
    """Find the alternatives: the second one is looked for where the first would be chosen by a trial."""
    from bench.vm import cache, stock  # noqa: PLC0415  (only a guest needs it)

    reasons: dict[str, None] = {}
    first = ways(0, lambda said: reasons.update({said: None}))
    second = ways(1, lambda said: None)
    alternatives = (
        [first] if [one.site.accel for one in first] == [one.site.accel for one in second] else [first, second]
    )
    fetched: dict[str, int] = {}
    if guests := [(one.plan.kernel, arches.find(one.plan.arch)) for one in first if one.site.guest]:
        fetched = {what: size for what, size in (stock.missing(*guest) for guest in guests) if what}
        fetched |= {what: size for _, arch in guests for what, size in stock.missing_python(arch).items()}
    return Foreseen(alternatives, folder, list(reasons), cache.place(), list(fetched), sum(fetched.values()))


def _accel(word: str, spec: str, arch: str, at: int, otherwise: str = "icount") -> Accelerator:
    """The accelerator that is chosen, or would be if the first one did not work: at = 1."""
    from bench.vm import kernel, qemu, stock  # noqa: PLC0415

    row = arches.find(arch)
    image = None if stock.missing(spec, row)[0] else kernel.find(spec, echo=tell.note, arch=row).path
    found = qemu.candidates(word, image, otherwise=otherwise, arch=row)
    return found[min(at, len(found) - 1)]


def _way(label: str, plan: Plan, at: int, left: Sequence[int] | None = None) -> Way:
    """Return how a plan would be measured. Raises BadInput for a kernel or memory that can't be."""
    boots = range(plan.boots) if left is None else left
    if plan.where == "here":
        return Way(label, plan, machines.here(), boots)
    from bench.vm import kernel, stock  # noqa: PLC0415

    title, arch = plan.kernel, arches.find(plan.arch)
    if not stock.missing(plan.kernel, arch)[0]:
        image = kernel.find(plan.kernel, echo=tell.note, arch=arch)
        machines.check_config(image)
        title = image.title
    accel = _accel(plan.accel, plan.kernel, plan.arch, at, "tcg" if plan.scenarios else "icount")
    site = machines.foreseen(plan, accel, title)
    return Way(label, decided(plan, site), site, boots)


def _resumed(folder: Path, label: str, boots: int | None, at: int) -> Way:
    """Return what going on with a result would do."""
    plan = resume.plan_of(folder, boots, tell.note)
    return _way(label, plan, at, resume.missing(log.read(folder / log.FILE)[0], plan))


def _print(found: Foreseen) -> None:
    if tell.style().machine:
        ways = [[one.facts() for one in some] for some in found.alternatives]
        more: dict[str, Any] = {
            "result": str(found.folder),
            "cache": str(found.cache),
            "would_be_fetched": found.fetched,
        }
        print(
            json.dumps({"alternatives": ways, **more, "cache_bytes": found.cache_bytes, "why": found.reasons}, indent=2)
        )
        return
    print("Nothing is measured, made or fetched: this is what would be.")
    for number, some in enumerate(found.alternatives):
        if len(found.alternatives) > 1:
            print(f"\n{'If a trial shows that KVM works:' if not number else 'Else:'}")
        _print_rows(list(_rows(some).items()))
    print()
    _print_rows(_common(found))


def _print_rows(rows: Sequence[tuple[str, str]]) -> None:
    for what, text in rows:
        print(f"  {what:12} {text}".rstrip())


def _rows(ways: Sequence[Way]) -> dict[str, str]:
    """What depends on how it is measured."""
    first = ways[0]
    plan = first.plan
    rows: dict[str, str] = {}
    for one in ways:
        rows[one.label or "where"] = f"{one.site.title}: {_often(one)}"
    took = sum(one.seconds for one in ways)
    rows["time"] = f"about {progress.human(took)}{', if all boots are needed' if _open(plan) else ''}"
    rows["memory"] = f"{plan.bytes_needed // MIB} MiB a worker at the largest point" if plan.points else "little"
    if first.site.guest:
        rows["memory"] += f"; {max(machines.guest_memory(one.plan) for one in ways) // MIB} MiB a guest"
        rows["memory"] += ", two at once" if min(one.site.at_once for one in ways) > 1 else ""
    rows["disk"] = f"about {_size(sum(one.disk for one in ways))} of results"
    return rows


def _open(plan: Plan) -> bool:
    return bool(plan.until or plan.least_boots)


def _often(way: Way) -> str:
    """How often it is measured, in words."""
    plan = way.plan
    if plan.scenarios:
        return f"{many(plan.values, 'play', 's')} of each scenario and interface"
    each = f"{many(plan.share, 'process', 'es')} x {many(plan.values, 'value', 's')}"
    boots = f"{plan.least_boots}-{plan.boots} boots" if plan.least_boots else many(plan.boots, "boot", "s")
    several = f"{boots} x " if way.site.guest or plan.boots > 1 else ""
    left = f", of which {len(way.left)} are left" if len(way.left) < plan.boots else ""
    until = f", until +-{plan.until:g} %" if plan.until else ""
    return f"{several}{each}{until}{left}"


def _common(found: Foreseen) -> list[tuple[str, str]]:
    """What does not depend on how it is measured."""
    plan = found.alternatives[0][0].plan
    what = many(len(plan.scenarios), "scenario", "s")
    if plan.points:
        pages = [point.pages for point in plan.points]
        sizes = " to ".join(map(str, sorted({min(pages), max(pages)})))
        what = f"{many(len(plan.points), 'point', 's')} of {sizes} pages"
    tracking = ", ".join(name for name in plan.expected if name != UNTRACKED)
    optional = f"; where the kernel has them {', '.join(plan.optional)}" if plan.optional else ""
    rows = [("suite", f"{plan.suite}: {what}"), ("interfaces", tracking + optional), ("result", str(found.folder))]
    if any(one.site.guest for one in found.alternatives[0]):
        lacking = "; ".join(found.fetched) or "all that is needed is there"
        size = f" (about {_size(found.cache_bytes)})" if found.cache_bytes else ""
        rows.append(("cache", f"{found.cache}: {lacking}{size}"))
    command = with_accel(plan.command, "auto") if len(found.alternatives) > 1 else plan.command
    return [*rows, *(("why", one) for one in found.reasons), ("command", command)]


def _size(count: int) -> str:
    return f"{count / MIB:.0f} MiB" if count >= 10 * MIB else f"{count / MIB:.1f} MiB"
