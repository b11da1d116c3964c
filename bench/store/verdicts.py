# SPDX-License-Identifier: GPL-2.0-only
"""What scenarios found, as verdicts: from a log, or from the meaning.json of earlier versions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import BadInput
from bench.plan import catalogue
from bench.plan.interfaces import Reason
from bench.plan.plan import Plan
from bench.plan.records import Failed, Machine, Messages, Played, Plays, decode
from bench.store import log

OLD = "meaning.json"
_OLD_SCHEMA = "pagemap-bench meaning 1"
EXACT, EXTRA, MISSED, NOT_POSSIBLE = "exact", "extra", "missed", "not possible"
FAILED = "failed"  # died, hung, or a call failed that never should: no verdict, and no reason to skip it


_NONE: dict[Any, Any] = {}  # nobody adds to it


class Cell(NamedTuple):
    """What one interface made of one scenario on one kernel, over all plays."""

    kind: str  # EXACT ..., the gravest of all plays
    extra: int = 0  # pages, the most of any play
    missed: int = 0
    written: int = 0
    broken: bool = False  # against the contract, in any play; or failed
    plays: int = 0
    like: int = 0  # plays that ended in this kind
    why: str = ""
    remedy: str = ""
    contract: str = ""

    @property
    def unsteady(self) -> bool:
        """Whether not every play ended in the same kind."""
        return self.like < self.plays

    def text(self) -> str:
        """As in tables: exact, +7, -1, no; in parentheses where the contract has it so, with ~ where not every time."""
        pages = "".join(sign + str(count) for sign, count in (("+", self.extra), ("-", self.missed)) if count)
        if self.kind == FAILED:
            return "failed"
        if not pages:
            return {EXACT: "exact", NOT_POSSIBLE: "no"}[self.kind]
        return (pages if self.broken else f"({pages})") + ("~" if self.unsteady else "")


class Verdicts(NamedTuple):
    """One run of the suite: verdicts by (scenario, interface), and the machine."""

    name: str
    host: dict[str, Any]
    interfaces: list[str]
    scenarios: dict[str, str]  # and what happens in each
    cells: dict[tuple[str, str], Cell]
    notes: tuple[str, ...] = ()  # what a reader must know of the file
    findings: dict[str, str] = _NONE  # by interface, what its probe found wrong
    messages: dict[int, Messages] = _NONE  # what the kernel's log said, by boot

    @property
    def kernel(self) -> str:
        """Version, for headings: Debian's 6.1.176 calls itself 6.1.0-50."""
        debian = re.search(r"Debian (\d[\d.]*)", str(self.host.get("kernel_version")))
        release = str(self.host["kernel_release"])
        return debian[1] if debian else re.split(r"[-+]", release)[0]


def holds(folder: Path) -> bool:
    """Whether the folder's result is one of scenarios. Raises BadInput for a damaged log."""
    path = log.find(folder)
    if path is None:
        return (folder / OLD).is_file()
    return bool(log.plan(path).scenarios)


def load(folder: Path) -> Verdicts:
    """Read the verdicts in a folder. Raises BadInput for what is no such result."""
    path = log.find(folder)
    found = _of_records(folder.resolve().name, path) if path else _of_old(folder)
    if lacking := {"kernel_release", "kernel_version", "where", "copy_page_ns", "page_size"} - found.host.keys():
        raise BadInput(f"{path or folder / OLD} lacks {min(lacking)} of its machine", "measure again")
    return found


def _of_records(name: str, path: Path) -> Verdicts:
    records, torn = log.read(path)
    plan = next((record for record in records if isinstance(record, Plan)), None)
    machines = [record for record in records if isinstance(record, Machine)]
    if plan is None or not plan.scenarios or not machines:
        raise BadInput(f"{path} is no result of the suite meaning", "measure: ./bench.py run --suite meaning")
    host = log.merged([one.facts for one in machines]) | {"suite": plan.suite, "command": plan.command}
    summaries = {scenario: catalogue.summary(scenario) for scenario in plan.scenarios}
    answered = log.answered(records)
    names = [name for name in plan.interfaces if name not in plan.optional or name not in machines[0].unavailable]
    cells = {
        (scenario, name): _unplayed(machines[0].unavailable[name], answered[0].get(name, ""))
        for scenario in plan.scenarios
        for name in names
        if name in machines[0].unavailable
    }
    cells |= {(one.scenario, one.interface): _cell(one) for one in records if isinstance(one, Played)}
    notes = [torn] * bool(torn) + [f"A job failed: {one.job}: {one.why}" for one in records if isinstance(one, Failed)]
    return Verdicts(name, host, names, summaries, cells, tuple(notes), *answered)


def _unplayed(reason: Reason, finding: str) -> Cell:
    """What a scenario is with an interface that can't be measured: failed, where even its probe came to no end."""
    if finding:
        return Cell(FAILED, broken=True, why=finding)
    return Cell(NOT_POSSIBLE, why=reason.why, remedy=reason.remedy)


def _of_old(folder: Path) -> Verdicts:
    path = folder / OLD
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["schema"] != _OLD_SCHEMA:
            raise BadInput(f"it is of schema {data['schema']!r}", f"this version reads {_OLD_SCHEMA!r}")
        cells = {
            (scenario, name): Cell(NOT_POSSIBLE, why=data["unavailable"][name][0], remedy=data["unavailable"][name][1])
            for scenario in data["scenarios"]
            for name in data["unavailable"]
        }
        for one in data["verdicts"]:
            runs = [{"times": run.pop("count"), **run} for run in one["runs"]]
            played = decode(json.dumps({"type": "played", "boot": 0} | one | {"runs": runs}))
            assert isinstance(played, Played)
            cells[played.scenario, played.interface] = _cell(played)
        return Verdicts(folder.resolve().name, dict(data["host"]), data["interfaces"], {**data["scenarios"]}, cells)
    except BadInput as error:
        raise BadInput(f"{path}: {error}", error.hint or "measure again") from None
    except OSError as error:
        raise BadInput(f"can't read {path}: {error.strerror}", "./bench.py list names the results there are") from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise BadInput(f"{path} is no result of the suite meaning: {error!r:.200}", "measure again") from None


def _kind(run: Plays) -> str:
    """Return what a run of equal verdicts is; missed is graver than extra."""
    if run.failed:
        return FAILED
    if run.why:
        return NOT_POSSIBLE
    return MISSED if run.missed else EXTRA if run.extra else EXACT


def _cell(one: Played) -> Cell:
    gravest = max((_kind(run) for run in one.runs), key=[EXACT, NOT_POSSIBLE, EXTRA, MISSED, FAILED].index)
    first = next(run for run in one.runs if _kind(run) == gravest)
    return Cell(
        gravest,
        extra=max(run.extra for run in one.runs),
        missed=max(run.missed for run in one.runs),
        written=max(run.written for run in one.runs),
        broken=any(run.broken or run.failed for run in one.runs),
        plays=sum(run.times for run in one.runs),
        like=sum(run.times for run in one.runs if _kind(run) == gravest),
        why=first.failed or first.why,
        remedy=first.remedy,
        contract=one.contract,
    )
