# SPDX-License-Identifier: GPL-2.0-only
"""One kernel's part of a campaign: what of its plan is in the log, what is left, and what must not be hidden of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bench import place
from bench.errors import BadInput, BenchError, Crashed, Hung, Unsupported, WorkerFailed
from bench.harmless import harmless
from bench.plan import expected, kernel_log, records
from bench.plan.plan import Job, Plan, Play
from bench.plan.records import (
    CRASHED,
    FAILED,
    HUNG,
    PHASES,
    Failed,
    Machine,
    Messages,
    Played,
    Plays,
    Record,
    Timed,
)
from bench.run import enough, machines, resume
from bench.store.log import Log

UNTRUSTED = "what it says is not trusted; its messages above, or the guest's log, may say what went wrong"
_FALLS = 10  # plays with one interface that a guest did not survive, after which it is played with no more
_FALLEN = 2  # boots of one kernel that came to no end, after which the others are not tried
# Boots are enough whose medians differ by no more than this part, or so few instructions, but for so many of them: the
# report names those.
AGREED, FEW, EXCEPT = 1e-4, 8, 0.02


class Part(NamedTuple):
    """What a campaign measures of one kernel: the plan, where, and into which folder, which is there.

    label: what tells it from other parts, empty where there is one.
    """

    plan: Plan
    site: machines.Site
    folder: Path
    label: str = ""


class Share:
    """One part under way: what of its plan is in the log, and what came of the rest."""

    def __init__(self, part: Part, kept: Log) -> None:
        self.plan, self.site, self.folder, self.label = part
        self._log = kept
        self.failed: list[Failed] = []
        self.fallen: list[BenchError] = []
        self.running: set[int] = set()
        self.begun: dict[int, int] = {}  # where in its console's log each boot begins
        self.lines: dict[int, int] = {}  # that a kernel said, by boot
        self.falls: dict[str, int] = {}  # plays that a guest did not survive, by interface
        self.told: set[tuple[object, object]] = set()  # the keys of jobs of which the bar knows what became
        self.given_up = False
        if kept.records[:1] != [self.plan]:
            self.keep(self.plan)
        self.missing = set(resume.missing(kept.records, self.plan))

    @property
    def done(self) -> int:
        """How many jobs are done."""
        return sum(isinstance(one, Timed | Played) for one in self._log.records)

    @property
    def machines(self) -> list[Machine]:
        """The machines that said what they are."""
        return [one for one in self._log.records if isinstance(one, Machine)]

    def keep(self, record: Record) -> None:
        """Append a record."""
        self._log.append(record)
        if isinstance(record, Failed):
            self.failed.append(record)

    def left(self, machine: Machine) -> list[Job]:
        """Return the jobs that a boot still has to do: the log, which has its machine, says what counts as done."""
        of_boot = [one for one in self._log.records if isinstance(one, Timed | Played) and one.boot == machine.boot]
        done = {one.key for one in of_boot}
        return [job for job in self.plan.jobs(machine.boot) if job.key not in done]

    def ready(self, boot: int) -> bool:
        """Whether a boot can begin: one that others may make needless waits for them."""
        least = enough.least(self.plan) if self.plan.until else self.plan.least_boots
        return not (self.running and 0 < least <= boot)

    def ended(self, boot: int) -> None:
        """Take note of a boot that came to its end: where enough was measured, the plan has no others any more."""
        self.missing.discard(boot)
        ended = self.plan.boots - len(self.missing)
        in_order = self.missing == set(range(ended, self.plan.boots))
        if self.missing and in_order and not self.fallen and self._enough(ended):
            self.missing.clear()
            shorter = self.plan.with_boots(ended)
            self.keep_plan(shorter._replace(command=self.plan.command) if self.plan.until else shorter)

    def _enough(self, ended: int) -> bool:
        """Whether so many boots are enough: they agree, or each cost is as sure as it was to be."""
        if self.plan.until:
            return enough.due(ended, self.plan) and not enough.unsure(self._log.records, self.plan)
        return 0 < self.plan.least_boots <= ended and self._agree()

    def sure(self, done: int) -> bool:
        """Whether so many processes of the only boot are enough; the plan has no others then."""
        if not self.plan.until or self.plan.boots > 1 or self.failed or done >= self.plan.processes:
            return False
        if not enough.due(done, self.plan) or enough.unsure(self._log.records, self.plan):
            return False
        self.keep_plan(self.plan._replace(processes=done))
        return True

    def keep_plan(self, plan: Plan) -> None:
        """Go on with another plan, which overrules the one in the log."""
        self.plan = plan
        self.keep(plan)

    def surely(self) -> str:
        """What became of what was to be known so surely; empty where nothing was, or not all is measured."""
        return enough.told(self._log.records, self.plan) if self.plan.until and not self.missing else ""

    def _agree(self) -> bool:
        """Whether the boots so far differ by no more than AGREED, or FEW, in nearly all values."""
        found: dict[tuple[object, ...], list[float]] = {}
        for record in self._log.records:
            if isinstance(record, Timed):
                turn = record.process % self.plan.share
                for one in record.series:
                    for phase in {*PHASES} & one.values.keys():
                        key = (record.point, turn, one.interface, one.atomic, phase)
                        found.setdefault(key, []).append(sorted(one.values[phase])[len(one.values[phase]) // 2])
        apart = sum(max(some) - min(some) > max(AGREED * max(some), FEW) for some in found.values())
        return apart <= EXCEPT * len(found)

    def console(self, boot: int) -> Path:
        """Return where a guest's console is kept, that of attempts before included."""
        return self.folder / ("guest.log" if self.plan.boots == 1 else f"guest-{boot}.log")

    def said(self, boot: int) -> list[str]:
        """Return what a guest's console said in this attempt."""
        path = self.console(boot)
        if not path.is_file():
            return []
        with path.open(errors="replace") as file:
            file.seek(self.begun.get(boot, 0))
            return file.read().splitlines()

    def fell(self, boot: int, error: BenchError) -> None:
        """Take note of a boot that came to no end; the log, which is of one kernel, has no need of its name."""
        self._log.append(Failed(boot, "", str(error)))
        if any(one.boot == boot for one in self.machines):
            self._log.append(messages(None, boot, self.said(boot), self.lines.get(boot, 0)))
        label = " ".join(filter(None, [self.label, f"boot {boot}" if self.plan.boots > 1 else ""]))
        self.fallen.append(type(error)(f"{label}: {error}" if label else str(error), error.hint))
        self.missing.discard(boot)
        self.given_up = len(self.fallen) >= _FALLEN

    def survive(self, job: Play, boot: int, error: Crashed | Hung) -> None:
        """Take note of a play that the boot did not survive: that is its verdict. The next boot does what is left."""
        why = error.first if isinstance(error, Crashed) else str(error)
        hung = isinstance(error, Hung) or kernel_log.HANGS.search(why)  # of which the kernel itself made a panic
        self._fell(job, boot, HUNG if hung else CRASHED, harmless(why))
        self.count(job, boot)

    def count(self, job: Play, boot: int) -> None:
        """Count a play after which a guest was booted again; after too many, its interface is played with no more."""
        self.falls[job.interface] = self.falls.get(job.interface, 0) + 1
        if self.falls[job.interface] == _FALLS:
            machine = next(one for one in reversed(self.machines) if one.boot == boot)
            for other in self.left(machine):
                if isinstance(other, Play) and other.interface == job.interface and machine.can(other, self.plan):
                    self._fell(other, boot, FAILED, f"not played: the guest did not survive {_FALLS} others before it")

    def _fell(self, job: Play, boot: int, ended: str, why: str) -> None:
        self._log.append(Played(boot, job.scenario, job.interface, "", [Plays(1, failed=why, ended=ended)]))

    def kept(self) -> str:
        """What can be done with what was measured before an error."""
        return f"{self.done} finished jobs are kept: ./bench.py report {place.called(self.folder)}" if self.done else ""

    def tidy(self) -> None:
        """Remove what measured nothing: it is no result. A console's log stays where it says why."""
        self._log.path.unlink(missing_ok=True)
        for console in [] if self.fallen or self.failed else self.folder.glob("guest*.log"):
            console.unlink()

    def complaint(self) -> BenchError | None:
        """What a campaign that came to its end must not hide: boots that fell, failed jobs, or none that was done."""
        if self.fallen:
            first = self.fallen[0]
            hint = "; ".join(filter(None, [self.kept(), first.hint]))  # its last lines come last
            more = f"; {len(self.fallen)} boots came to no end" if len(self.fallen) > 1 else ""
            return type(first)(f"{first}{more}", hint)
        if self.failed:
            one = self.failed[0]
            what = f"{len(self.failed)} of {self.done + len(self.failed)} jobs failed, first {one.job}: {one.why}"
            consoles = f"; the guest's console: {self.console(one.boot)}" if self.site.guest else ""
            return WorkerFailed(what, (self.kept() or "nothing was measured") + consoles)
        if self.done or self.missing:
            return None
        optional = self.plan.optional
        reasons = {k: why for one in self.machines for k, why in one.unavailable.items() if k not in optional}
        said = "; ".join(f"{what}: {why.why}" for what, why in reasons.items())
        remedy = next((why.remedy for why in reasons.values() if why.remedy), "")
        return Unsupported(f"no interface can be measured there ({said or 'no job was done'})", remedy)


def met(machine: machines.Server, plan: Plan, boot: int) -> Machine:
    """Tell a machine the plan and which boot it is, and return what it says it is. Raises WorkerFailed."""
    machine.send(records.encode(plan))
    machine.send(str(boot))
    first = decoded(machine.line(plan.start_limit, "describing the machine"))
    if (wrong := expected.machine(first, plan, boot)) or not isinstance(first, Machine):
        raise WorkerFailed(f"the measuring process sent {wrong}", UNTRUSTED)
    return first


def parted(machine: machines.Server, seconds: float, *, guest: bool) -> str | None:
    """Tell a machine that there is no more to do, and return its last line, which a guest has not.

    Raises WorkerFailed.
    """
    machine.send("")
    said = machine.line(seconds, "shutting down")
    if said is not None and guest:
        raise WorkerFailed("the measuring process sent a record after the last one", UNTRUSTED)
    return said


def messages(said: str | None, boot: int, console: list[str], lines: int) -> Messages:
    """What the kernel's log says of a boot: the machine's last record, or what a guest's console had."""
    if said is None:
        return Messages(boot, *kernel_log.scan(console), lines=lines)
    record = decoded(said)
    if (wrong := expected.end(record, boot)) or not isinstance(record, Messages):
        raise WorkerFailed(f"the measuring process sent {wrong}", UNTRUSTED)
    return record


def decoded(line: str | None) -> Record:
    """The record of a line that a machine sent. Raises WorkerFailed: it is not trusted."""
    if line is None:
        raise WorkerFailed("the measuring process ended before its work did", UNTRUSTED)
    try:
        return records.decode(line)
    except BadInput as error:
        raise WorkerFailed(f"the measuring process sent {error}", UNTRUSTED) from None
