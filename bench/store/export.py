# SPDX-License-Identifier: GPL-2.0-only
"""A result as suite.json, in pyperf's own types, for `python -m pyperf stats|check|compare_to|hist`."""

from __future__ import annotations

import codecs
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.files import replacing
from bench.plan.interfaces import form
from bench.plan.plan import Plan
from bench.plan.records import TIME, Machine, Timed
from bench.store import log

if TYPE_CHECKING:
    import pyperf

FILE = "suite.json"
_LEAST = 1e-9  # seconds: pyperf wants more than 0, and the clock's unit is 1 ns


def write_suite(folder: Path) -> Path | None:
    """Write folder/suite.json from the log, and return it; None for a result without timings, without a log, or of
    several machines or one that was changed between its boots, which pyperf refuses.

    Raises BadInput for a damaged log, OSError where it can't be written.
    """
    source = log.find(folder)
    found = log.read(source)[0] if source else []
    timed = [record for record in found if isinstance(record, Timed)]
    plan = next((record for record in found if isinstance(record, Plan)), None)
    if plan is None or not timed:
        return None
    machines = {record.boot: record for record in found if isinstance(record, Machine)}
    if len({one.facts.get("machine") for one in machines.values()}) > 1:
        return None
    runs: dict[str, list[pyperf.Run]] = {}
    for record in timed:
        _add(runs, record, machines[record.boot], plan)
    import pyperf  # noqa: PLC0415  (slow to import, and only needed here)

    try:
        suite = pyperf.BenchmarkSuite([pyperf.Benchmark(some) for some in runs.values()])
    except ValueError:  # boots of one machine whose Python, or number of CPUs, was changed between them
        return None
    path = folder / FILE
    with replacing(path) as file:
        suite.dump(codecs.getwriter("utf-8")(file))
    return path


def _add(runs: dict[str, list[pyperf.Run]], record: Timed, machine: Machine, plan: Plan) -> None:
    """Add the runs of one process: one for each phase of each form."""
    import pyperf  # noqa: PLC0415

    point, timed = record.point, machine.quantity == TIME
    shared = machine.facts | record.facts | point.changed | {"schema": plan.schema, "suite": plan.suite}
    shared |= {"suite_version": plan.version, "command": plan.command, "seed": plan.seed, "boot": record.boot}
    shared |= {"workload": point.workload, "pages": point.pages, "dirty_percent": point.dirty_percent}
    shared |= {"kind": point.kind, "loops": point.loops, "process": record.process, "quantity": machine.quantity}
    shared |= {"unit": "second" if timed else "integer"}
    shared |= {"setting": point.setting} if point.setting else {}
    shared |= {f"unavailable:{what}": why.why for what, why in machine.unavailable.items()}
    shared |= {f"unavailable:{label} at {point.name}": why for label, why in record.refused.items()}
    shared = {key: value for key, value in shared.items() if _taken(key, value)}
    for one in record.series:
        label = form(one.interface, one.atomic)
        facts: dict[str, Any] = {"interface": one.interface, "atomic": int(one.atomic), "intervals": one.intervals}
        facts |= {"extra": one.extra, "missed": one.missed}
        optional = {"wrong": one.wrong, "overlapped": one.overlapped, "huge_kib_left": one.huge_kib_left}
        optional |= {"vmas_left": one.vmas_left, "periods": one.periods, "late": one.late}
        optional |= {"orders_changed": one.orders_changed}
        facts |= {key: value for key, value in optional.items() if value}
        for phase, values in one.values.items():
            name = f"{point.name} {label} {phase}"
            run = pyperf.Run(
                _pyperfs(values, timed=timed),
                warmups=[(1, value) for value in _pyperfs(one.warmups.get(phase, []), timed=timed)],
                metadata=shared | facts | {"name": name, "phase": phase},
                collect_metadata=False,
            )
            runs.setdefault(name, []).append(run)


@lru_cache(maxsize=4096, typed=True)
def _taken(key: str, value: Any) -> bool:
    """Whether pyperf takes a fact: it wants no blank ones, and checks those whose names it knows, as load_avg_1min."""
    import pyperf  # noqa: PLC0415

    try:
        pyperf.Run([1.0], metadata={key: value}, collect_metadata=False)
    except (TypeError, ValueError):
        return False
    return True


def _pyperfs(values: list[float], *, timed: bool) -> list[float]:
    """Nanoseconds as pyperf takes them: seconds, or for instructions whole numbers."""
    if timed:
        return [max(value * 1e-9, _LEAST) for value in values]
    return [max(1, round(value)) for value in values]
