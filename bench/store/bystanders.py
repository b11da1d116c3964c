# SPDX-License-Identifier: GPL-2.0-only
"""What bystanders noted beside each form, as distributions; what is said of them as numbers is in frames.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from bench.plan.interfaces import form
from bench.plan.records import ANY, Beside, Machine, Timed, latency
from bench.store import log
from bench.store.frames import CASE, POINT, SCALE, UNITS


def load(folder: Path) -> pd.DataFrame | None:
    """Return the distributions that a result has, None where it has none: a row for each bucket of each process.

    Columns: CASE, and the point's `bystanders`; `boot`, `process`; `latency` (the bucket's middle, in `unit`), `count`;
    `longest` (the slowest operation of that process); `pause_us`; and what titles say: `quantity`, `unit`, `where`,
    `kernel_release`, `cpu`, `file_system`. Operations that overlapped any phase, each once.
    """
    path = log.find(folder)
    found = log.read(path)[0] if path else []
    machines = {one.boot: one for one in found if isinstance(one, Machine)}
    rows = [
        row
        for record in found
        if isinstance(record, Timed)
        for one in record.series
        for row in _rows(record, form(one.interface, one.atomic), one.beside, machines[record.boot])
    ]
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    forms = list(dict.fromkeys(frame["form"]))
    return frame.assign(form=frame["form"].astype(pd.CategoricalDtype(forms, ordered=True)))


def _rows(record: Timed, label: str, one: Beside, machine: Machine) -> list[dict[str, Any]]:
    point, scale = record.point, SCALE[machine.quantity]
    if ANY not in one.counts:
        return []
    case = dict(zip(CASE, (*(getattr(point, key) for key in POINT), label), strict=True))
    facts = {"where": "unknown", "kernel_release": "unknown", "cpu_model_name": "unknown CPU"}
    told = {key.removesuffix("_model_name"): machine.facts.get(key, lacking) for key, lacking in facts.items()}
    shared = case | told | {"bystanders": point.bystanders, "boot": record.boot, "process": record.process,
                            "quantity": machine.quantity, "unit": UNITS[machine.quantity],
                            "file_system": record.facts.get("file_system", ""),
                            "longest": one.longest[ANY] * scale, "pause_us": one.pause_us}  # fmt: skip
    return [
        shared | {"latency": scale * sum(latency(int(at))) / 2, "count": count} for at, count in one.counts[ANY].items()
    ]
