# SPDX-License-Identifier: GPL-2.0-only
"""What scenarios found, as verdicts: from a log, or from the meaning.json of earlier versions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from bench import reading
from bench.errors import BadInput
from bench.plan import catalogue, facts
from bench.plan.interfaces import Reason
from bench.plan.plan import Plan
from bench.plan.records import BREAKS, ENDINGS, FAILED, LONGEST_NAME, REFUSED, Facts, Machine, Messages, Played, Plays
from bench.plan.schema import parsed, typed
from bench.store import log

OLD = "meaning.json"
_OLD_SCHEMA = "pagemap-bench meaning 1"
EXACT, EXTRA, MISSED, NOT_POSSIBLE = "exact", "extra", "missed", "not possible"
# What a verdict is against the contract, which is what the kernel documents. Worse: pages that nobody wrote, which
# cost; broken: what was written and not reported, or no answer at all. Better: exact, where nobody had promised it.
DOCUMENTED, BETTER, WORSE, BROKEN = OUTCOMES = "as documented", "better", "worse", "broken"
# Why there is no verdict: the kernel has no such interface; it refused, with an error; the interface has no such call,
# or the kernel none that the scenario needs; the machine lacks something that could be had.
LACKS, UNFIT, HERE = "the kernel lacks it", "not applicable", "not possible here"  # and REFUSED
_GRAVITY = (EXACT, NOT_POSSIBLE, EXTRA, MISSED, *reversed(ENDINGS))


_NOES = {LACKS: "lacks", REFUSED: "refused", UNFIT: "n/a", HERE: "no"}  # in tables, which name the reasons
_NONE: dict[Any, Any] = {}  # nobody adds to it


class Cell(NamedTuple):
    """What one interface made of one scenario on one kernel, over all plays."""

    kind: str  # EXACT ..., the gravest of all plays
    extra: int = 0  # pages, the most of any play
    missed: int = 0
    written: int = 0
    broken: bool = False  # against the contract, in any play; or it came to no verdict
    plays: int = 0
    like: int = 0  # plays that ended in this kind
    lost: bool = False  # pages were missed against the contract, in any play
    why: str = ""
    remedy: str = ""
    contract: str = ""
    no: str = ""  # of one that is not possible, which kind of no: LACKS, REFUSED, UNFIT, HERE

    @property
    def outcome(self) -> str:
        """What it is to who relies on it: one of OUTCOMES; empty where it was not possible."""
        if self.kind == NOT_POSSIBLE:
            return ""
        if self.ended or self.lost:
            return BROKEN
        if self.broken:
            return WORSE
        return BETTER if self.contract and self.kind == EXACT else DOCUMENTED

    @property
    def ended(self) -> bool:
        """Whether a play came to no verdict: ENDINGS."""
        return self.kind in ENDINGS

    @property
    def breaks(self) -> bool:
        """Whether a call of the tracked program failed: the answer is known, and nobody crashed."""
        return self.kind == BREAKS

    @property
    def unsteady(self) -> bool:
        """Whether not every play ended in the same kind."""
        return self.like < self.plays

    def text(self) -> str:
        """As in tables: exact, +7, -1; in parentheses where the contract has it so, with ~ where not every time."""
        pages = "".join(sign + str(count) for sign, count in (("+", self.extra), ("-", self.missed)) if count)
        if self.ended:
            return self.kind
        if not pages:
            return EXACT if self.kind == EXACT else _NOES.get(self.no, "no")
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
    fallen: tuple[str, ...] = ()  # which boots came to no end

    def of(self, interface: str) -> list[Cell]:
        """The verdicts of one interface."""
        return [cell for (_, name), cell in self.cells.items() if name == interface]

    def able(self, interface: str) -> bool:
        """Whether something could be played with the interface."""
        return any(cell.plays for cell in self.of(interface))

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
    found = _of_records(log.name_of(folder), path) if path else _of_old(folder)
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
        if name in machines[0].unavailable and catalogue.suits(scenario, name)
    }
    cells |= {(one.scenario, one.interface): _cell(one) for one in records if isinstance(one, Played)}
    fallen, failed = log.failures(records)
    notes = [torn] * bool(torn) + failed
    return Verdicts(name, host, names, summaries, cells, tuple(notes), *answered, tuple(fallen))


def _unplayed(reason: Reason, finding: str) -> Cell:
    """What a scenario is with an interface that can't be measured: failed, where even its probe came to no end."""
    if finding:
        return Cell(FAILED, broken=True, why=finding)
    return Cell(NOT_POSSIBLE, why=reason.why, remedy=reason.remedy, no=LACKS)


class _OldPlays(NamedTuple):
    """Plays as meaning.json has them: `times` was called `count`."""

    count: int  # type: ignore[assignment]  # of tuple
    extra: int = 0
    missed: int = 0
    broken: int = 0
    written: int = 0
    why: str = ""
    remedy: str = ""
    failed: str = ""


class _OldPlayed(NamedTuple):
    scenario: str
    interface: str
    contract: str
    runs: list[_OldPlays]


class _Old(NamedTuple):
    schema: str
    host: Facts
    interfaces: list[str]
    unavailable: dict[str, list[str]]  # why, and what would change that
    scenarios: dict[str, str]
    verdicts: list[_OldPlayed]


def _of_old(folder: Path) -> Verdicts:
    path = folder / OLD
    try:
        found = typed(parsed(reading.whole(path)), _Old, "meaning")
        played = [_played(one, f"meaning.verdicts[{i}]") for i, one in enumerate(found.verdicts)]
        _check_old(found)
    except FileNotFoundError:
        raise BadInput(f"there is no result in {folder}", "./bench.py list names the results there are") from None
    except BadInput as error:
        raise BadInput(f"{path}: {error}", error.hint or "measure again") from None
    cells = {
        (scenario, name): Cell(NOT_POSSIBLE, why=why[0], remedy=why[1], no=LACKS)
        for scenario in found.scenarios
        for name, why in found.unavailable.items()
    }
    cells |= {(one.scenario, one.interface): _cell(one) for one in played}
    return Verdicts(log.name_of(folder), found.host, found.interfaces, found.scenarios, cells)


def _played(one: _OldPlayed, where: str) -> Played:
    runs = [{"times": run.count, **dict(list(run._asdict().items())[1:])} for run in one.runs]
    return typed({"boot": 0} | one._asdict() | {"runs": runs}, Played, where)  # type: ignore[no-any-return]


def _check_old(found: _Old) -> None:
    """Raise BadInput where parts of it contradict one another."""
    if found.schema != _OLD_SCHEMA:
        raise BadInput(f"it is of schema {found.schema!r:.60}", f"this version reads {_OLD_SCHEMA!r}")
    facts.check(found.host, "meaning.host")
    names, scenarios = set(found.interfaces), set(found.scenarios)
    if (
        not names
        or not scenarios
        or len(names) < len(found.interfaces)
        or max(map(len, names | scenarios)) > LONGEST_NAME
    ):
        raise BadInput(f"meaning.interfaces and .scenarios are names of 1 to {LONGEST_NAME} characters, each once")
    if strange := ({one.interface for one in found.verdicts} | found.unavailable.keys()) - names:
        raise BadInput(f"{min(strange)!r:.60} is not among meaning.interfaces")
    if strange := {one.scenario for one in found.verdicts} - scenarios:
        raise BadInput(f"{min(strange)!r:.60} is not among meaning.scenarios")
    if bare := [name for name, why in found.unavailable.items() if len(why) != 2]:
        raise BadInput(f"meaning.unavailable.{bare[0]:.60} is not a reason and a remedy")


def _kind(run: Plays) -> str:
    """Return what a run of equal verdicts is; missed is graver than extra."""
    if run.failed:
        return run.ended or FAILED
    if run.why:
        return NOT_POSSIBLE
    return MISSED if run.missed else EXTRA if run.extra else EXACT


def _cell(one: Played) -> Cell:
    gravest = max((_kind(run) for run in one.runs), key=_GRAVITY.index)
    first = next(run for run in one.runs if _kind(run) == gravest)
    return Cell(
        gravest,
        extra=max(run.extra for run in one.runs),
        missed=max(run.missed for run in one.runs),
        written=max(run.written for run in one.runs),
        broken=any(run.broken or run.failed for run in one.runs),
        plays=sum(run.times for run in one.runs),
        like=sum(run.times for run in one.runs if _kind(run) == gravest),
        lost=any(run.missed and run.broken > run.surplus for run in one.runs),
        why=first.failed or first.why,
        remedy=first.remedy,
        contract=one.contract,
        no=_no(first) if gravest == NOT_POSSIBLE else "",
    )


def _no(run: Plays) -> str:
    """Which kind of no: what nothing would remedy is not possible anywhere with that interface and kernel."""
    return run.ended or (HERE if run.remedy else UNFIT)
