# SPDX-License-Identifier: GPL-2.0-only
"""Results of the suite meaning: meaning.json, kept complete while a run goes on, and read again as verdicts."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import workloads
from bench import interfaces
from bench.errors import BadInput, Unsupported, WorkerFailed

SCHEMA = "pagemap-bench meaning 1"  # results/README.md says what it holds
FILE = "meaning.json"
EXACT, EXTRA, MISSED, NOT_POSSIBLE = "exact", "extra", "missed", "not possible"
FAILED = "failed"  # died, hung, or a call failed that never should: no verdict, and no reason to skip it


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


class Result(NamedTuple):
    """One run of the suite: verdicts by (scenario, interface), and the machine."""

    name: str
    host: dict[str, Any]
    interfaces: list[str]
    scenarios: dict[str, str]  # and what happens in each
    cells: dict[tuple[str, str], Cell]

    @property
    def kernel(self) -> str:
        """Version, for headings: Debian's 6.1.176 calls itself 6.1.0-50."""
        debian = re.search(r"Debian (\d[\d.]*)", str(self.host.get("kernel_version")))
        release = str(self.host["kernel_release"])
        return debian[1] if debian else re.split(r"[-+]", release)[0]


def plan(chosen: Iterable[str], pattern: str | None, times: int, *, guest: bool) -> dict[str, Any]:
    """Return what bench.scenario is told to play. Raises BadInput for a pattern that matches no scenario."""
    from fnmatch import fnmatch  # noqa: PLC0415

    every = workloads.scenarios()
    names = [name for name in every if fnmatch(name, pattern or "*")]
    if not names:
        raise BadInput(f"--filter {pattern!r} matches no scenario", "./bench.py list names them; try 'merge*'")
    wanted = set(chosen) or set(interfaces.INTERFACES)
    tracking = [name for name, row in interfaces.INTERFACES.items() if row.tracks and name in wanted]
    if not tracking:
        raise BadInput("a scenario needs an interface that tracks", "leave out --interface none")
    return {"scenarios": names, "interfaces": tracking, "times": times, "guest": guest}


class Collector:
    """Takes the lines of one run and keeps meaning.json complete after every one."""

    def __init__(self, folder: Path, metadata: dict[str, Any], asked: dict[str, Any]) -> None:
        self.path = folder / FILE
        self._metadata = metadata  # shared: who boots guests adds to it what they are
        summaries = {name: (workloads.load_scenario(name).__doc__ or "").splitlines()[0] for name in asked["scenarios"]}
        self._data: dict[str, Any] = {"schema": SCHEMA, "host": {}, "interfaces": asked["interfaces"]}
        self._data |= {"unavailable": {}, "scenarios": summaries, "verdicts": []}

    @property
    def played(self) -> int:
        """How many scenarios have begun to be played."""
        return len({one["scenario"] for one in self._data["verdicts"]})

    def take(self, line: str) -> bool:
        """Use one line; tell if it began a scenario. Raises Unsupported where no interface works there."""
        before = self.played
        record = json.loads(line)
        if record.pop("type") == "scenario":
            self._data["verdicts"].append(record)
            self._save()
            return self.played > before
        self._data |= {"host": record["metadata"], "unavailable": record["unavailable"]}
        if len(record["unavailable"]) == len(self._data["interfaces"]):
            reasons = "; ".join(f"{name}: {why}" for name, (why, _) in record["unavailable"].items())
            remedy = next(remedy for _, remedy in record["unavailable"].values())
            raise Unsupported(f"no interface can be played with there ({reasons})", remedy)
        return False

    def _save(self) -> None:
        """Write aside and rename: whoever kills us finds a whole file."""
        aside = self.path.with_name(f"{FILE}.part")
        data = self._data | {"host": self._data["host"] | self._metadata}
        verdicts = ",\n".join(json.dumps(verdict) for verdict in data.pop("verdicts"))
        head = json.dumps(data, indent=1).removesuffix("\n}")
        aside.write_text(f'{head},\n "verdicts": [\n{verdicts}\n]}}\n')
        os.replace(aside, self.path)

    def finish(self) -> None:
        """Raise WorkerFailed if nothing came."""
        if not self._data["verdicts"]:
            raise WorkerFailed("no scenario was played", "the messages above say why")


def load(folder: Path) -> Result:
    """Read folder/meaning.json. Raises BadInput for what is no such result."""
    path = folder / FILE
    try:
        data = json.loads(path.read_text())
        if data["schema"] != SCHEMA:
            raise BadInput(f"{path} is of schema {data['schema']!r}", f"this version reads {SCHEMA!r}")
        cells = {
            (scenario, name): Cell(NOT_POSSIBLE, why=data["unavailable"][name][0], remedy=data["unavailable"][name][1])
            for scenario in data["scenarios"]
            for name in data["unavailable"]
        }
        for one in data["verdicts"]:
            cells[one["scenario"], one["interface"]] = _cell(one)
        found = Result(folder.resolve().name, dict(data["host"]), data["interfaces"], {**data["scenarios"]}, cells)
        if not {"kernel_release", "kernel_version", "where", "copy_page_ns"} <= found.host.keys():
            raise BadInput(f"{path} lacks the record of its machine", "measure again")
        return found
    except OSError as error:
        raise BadInput(f"can't read {path}: {error.strerror}", "./bench.py list names the results there are") from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise BadInput(f"{path} is no result of the suite meaning: {error!r}", "measure again") from None


def _kind(run: dict[str, Any]) -> str:
    """Return what a run of equal verdicts is; missed is graver than extra."""
    if run.get("failed"):
        return FAILED
    if run.get("why"):
        return NOT_POSSIBLE
    return MISSED if run.get("missed") else EXTRA if run.get("extra") else EXACT


def _cell(one: dict[str, Any]) -> Cell:
    runs = one["runs"]
    gravest = max((_kind(run) for run in runs), key=[EXACT, NOT_POSSIBLE, EXTRA, MISSED, FAILED].index)
    first = next(run for run in runs if _kind(run) == gravest)
    return Cell(
        gravest,
        extra=max(int(run.get("extra", 0)) for run in runs),
        missed=max(int(run.get("missed", 0)) for run in runs),
        written=max(int(run.get("written", 0)) for run in runs),
        broken=any(run.get("broken") or run.get("failed") for run in runs),
        plays=sum(run["count"] for run in runs),
        like=sum(run["count"] for run in runs if _kind(run) == gravest),
        why=first.get("failed", "") or first.get("why", ""),
        remedy=first.get("remedy", ""),
        contract=one["contract"],
    )
