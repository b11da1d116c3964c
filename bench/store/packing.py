# SPDX-License-Identifier: GPL-2.0-only
"""Keeps a result that is whole as one small file: its log, packed, with the functions of the median values alone."""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.errors import BadInput
from bench.files import replacing
from bench.plan import records
from bench.plan.plan import Plan
from bench.plan.records import Machine, Record, Series, Timed
from bench.store import log
from bench.store.frames import KERNEL
from bench.store.ledger import USER


def pack(folder: Path) -> Path:
    """Write the packed log of a result's folder, then remove the other one; return the packed one.

    It is read like any other. Of several processes all functions are kept, since the median may be of any. Raises
    BadInput for a damaged log, OSError where it can't be written.
    """
    source, target = folder / log.FILE, folder / log.PACKED
    found, torn = log.read(source)
    if torn:
        raise BadInput(f"{source}: {torn}", "measure it to its end first")
    plan = found[0] if found else None
    if not isinstance(plan, Plan):
        raise BadInput(f"{source} has no plan in its first line", log.HINT)
    # a guest that was booted again has its machine behind what came before, and is read with the machine first
    found.sort(key=lambda one: (not isinstance(one, Plan), not isinstance(one, Machine)))
    kept = map(_thinned, found) if plan.processes == 1 else found
    text = "".join(f"{records.encode(one)}\n" for one in kept)
    with replacing(target) as file:
        file.write(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    source.unlink()
    return target


def _thinned(record: Record) -> Record:
    """Leave out functions of values that are no median: who asks where instructions go asks of that one."""
    if not isinstance(record, Timed):
        return record
    return record._replace(series=[_thinner(one) for one in record.series])


def _thinner(one: Series) -> Series:
    kept = {phase: _middle(some) for phase, some in one.counters.items()}
    functions, foreign = (
        {
            phase: [of if kept.get(phase, i) == i else {} for i, of in enumerate(values)]
            for phase, values in some.items()
        }
        for some in (one.functions, one.foreign)
    )
    return one._replace(functions=functions, foreign=foreign)


def _middle(counters: Mapping[str, Iterable[float]]) -> int:
    """Which value is the median (the lower one of two), as stats/ledger.py's typical() takes it."""
    totals = [sum(some) for some in zip(*(counters[key] for key in (USER, KERNEL) if key in counters), strict=True)]
    order = sorted(range(len(totals)), key=totals.__getitem__)
    return order[(len(order) - 1) // 2] if order else 0
