# SPDX-License-Identifier: GPL-2.0-only
"""Carries out plans: boots machines in turn, gives them jobs one by one, and appends what they answer to the logs."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench import signals
from bench.errors import BadInput, BenchError, Crashed, GuestFailed, Hung, Unsupported, WorkerFailed
from bench.harmless import harmless
from bench.plan import expected, kernel_log, records
from bench.plan.plan import Job, Plan, Play, Timing, turns
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
from bench.run import enough, folders, machines, resume
from bench.run.progress import Bar
from bench.run.tell import note
from bench.store.log import Log
from bench.vm import counting

END_SECONDS = 60.0  # to say what the kernel's log complained of: it takes a tenth of a second where it is emulated
UNTRUSTED = "what it says is not trusted; its messages above, or the guest's log, may say what went wrong"
_FAILURES = 3  # failed jobs of one boot after which it is given up
_FALLS = 10  # plays with one interface that a guest did not survive, after which it is played with no more
_AGAIN = "the guest is booted again, for what is left"
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


def measure(*parts: Part, only: tuple[int, int] | None = None) -> None:
    """Measure what the logs of the parts lack: all, where there is none yet.

    only: this boot of this part, the next of a real machine, which boots when it is told to and not by us.

    Raises Unsupported where nothing can be measured, WorkerFailed or GuestFailed where something was not: what was is
    in the logs.
    """
    with ExitStack() as stack:
        shares = [_Share(part, stack.enter_context(Log(part.folder))) for part in parts]
        wanted = _wanted(shares, only)
        boots = [(one.plan, one.site, [boot for _, of, boot in wanted if of is one]) for one in shares]
        bar = stack.enter_context(Bar(boots))
        campaign = _Campaign(shares, wanted, bar)
        try:
            campaign.run()
        finally:
            if not any(share.done for share in shares):
                for share in shares:
                    share.tidy()
        for share in shares:
            if said := share.surely():
                note(f"{share.label}: {said}" if share.label else said)
        _judge(shares)


def _wanted(shares: Sequence[_Share], only: tuple[int, int] | None) -> list[tuple[int, _Share, int]]:
    """Return what is to be booted, in order: the number of the turn, whose it is, which of its boots."""
    if only:
        part, boot = only
        return [(sum(len(one.machines) for one in shares), shares[part], boot)]
    order = enumerate(turns([one.plan.boots for one in shares], shares[0].plan.seed))
    return [(turn, shares[i], boot) for turn, (i, boot) in order if boot in shares[i].missing]


class _Share:
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
        if not path.exists():
            return []
        with path.open(errors="replace") as file:
            file.seek(self.begun.get(boot, 0))
            return file.read().splitlines()

    def fell(self, boot: int, error: BenchError) -> None:
        """Take note of a boot that came to no end; the log, which is of one kernel, has no need of its name."""
        self._log.append(Failed(boot, "", str(error)))
        if any(one.boot == boot for one in self.machines):
            self._log.append(_messages(None, boot, self.said(boot), self.lines.get(boot, 0)))
        label = " ".join(filter(None, [self.label, f"boot {boot}" if self.plan.boots > 1 else ""]))
        self.fallen.append(type(error)(f"{label}: {error}" if label else str(error), error.hint))
        self.missing.discard(boot)
        self.given_up = len(self.fallen) >= _FALLEN

    def survive(self, job: Play, boot: int, error: Crashed | Hung) -> None:
        """Take note of a play that the boot did not survive: that is its verdict. The next boot does what is left."""
        why = error.first if isinstance(error, Crashed) else str(error)
        hung = isinstance(error, Hung) or "soft lockup" in why  # of which the kernel itself made a panic
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
        return (
            f"{self.done} finished jobs are kept: ./bench.py report {folders.called(self.folder)}" if self.done else ""
        )

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


class _Campaign:
    """All parts under way. Boots share the logs and the progress bar, one of them at a time."""

    def __init__(self, shares: Sequence[_Share], wanted: list[tuple[int, _Share, int]], bar: Bar) -> None:
        self._shares, self._turns, self._bar = shares, wanted, bar
        self._lock = threading.Condition()
        self._running: list[machines.Server] = []
        self._stopped = False

    def run(self) -> None:
        """Boot until no boot is left, as many at once as every site allows."""
        at_once = min(one.site.at_once for one in self._shares)
        with ThreadPoolExecutor(at_once) as pool:
            try:
                lanes = [pool.submit(self._lane) for _ in range(min(at_once, len(self._turns)))]
                done, _ = wait(lanes, return_when=FIRST_EXCEPTION)
                for lane in done:
                    lane.result()
            finally:
                with signals.later():
                    self._stop()

    def _lane(self) -> None:
        while found := self._next():
            turn, share, boot = found
            try:
                while not self._boot(turn, share, boot):
                    pass
            except (GuestFailed, WorkerFailed) as error:
                with self._lock:
                    if self._stopped:
                        return
                    share.fell(boot, error)
                    alone = not share.label and share.plan.boots == 1
                    self._bar.fell(boot, "" if alone else str(share.fallen[-1]), share.label)
            finally:
                with self._lock:
                    share.running.discard(boot)
                    self._lock.notify_all()
            with self._lock:  # one kernel: what can't be measured in one boot can't be in any
                if not share.done and not share.failed and not share.fallen:
                    share.missing.clear()

    def _next(self) -> tuple[int, _Share, int] | None:
        """Take the next boot that can begin, and wait for it where others come first; None where none is left."""
        with self._lock:
            while not self._stopped:
                self._turns = [turn for turn in self._turns if turn[2] in turn[1].missing and not turn[1].given_up]
                if not self._turns:
                    return None
                for found in self._turns:
                    if found[1].ready(found[2]):
                        self._turns.remove(found)
                        found[1].running.add(found[2])
                        return found
                self._lock.wait(1.0)
            return None

    def _stop(self) -> None:
        """End what still runs: nothing outlives an error or Ctrl-C."""
        with self._lock:
            self._stopped = True
            self._lock.notify_all()
            for machine in self._running:
                machine.kill()

    def _boot(self, turn: int, share: _Share, boot: int) -> bool:
        """Boot, and have done what is left of its jobs; return False where it did not survive a play."""
        console = share.console(boot)
        share.begun.setdefault(boot, console.stat().st_size if console.exists() else 0)
        with share.site.start(console, self._bar.print, boot) as machine:
            with self._lock:
                if self._stopped:  # while this one was starting
                    return True
                self._running.append(machine)
            try:
                first = self._met(turn, share, boot, machine)
                if not self._work(first, share, machine):
                    return False
                machine.send("")
                said = machine.line(END_SECONDS, "shutting down")
                if said is not None and share.site.guest:
                    raise WorkerFailed("the measuring process sent a record after the last one", UNTRUSTED)
            finally:
                share.lines[boot] = share.lines.get(boot, 0) + machine.lines
        with self._lock:
            share.keep(_messages(said, boot, share.said(boot), share.lines[boot]))
            planned = share.plan
            share.ended(boot)
            self._bar.leave(planned, share.plan, share.site)
        return True

    def _met(self, turn: int, share: _Share, boot: int, machine: machines.Server) -> Machine:
        """Tell a machine the plan, have it say what it is, and keep that."""
        machine.send(records.encode(share.plan))
        machine.send(str(boot))
        first = _decoded(machine.line(share.plan.start_limit, "describing the machine"))
        if (wrong := expected.machine(first, share.plan, boot)) or not isinstance(first, Machine):
            raise WorkerFailed(f"the measuring process sent {wrong}", UNTRUSTED)
        facts = first.facts | share.site.facts | {"turn": turn}
        if share.site.guest:  # counted ones have the same date and random numbers again and again
            facts |= {"date": _now(), "boot_time": _now(), "boot_id": str(uuid.uuid4())}
        facts |= {"qemu": machine.command_line} if machine.command_line else {}
        first = first._replace(facts=facts, quantity=share.site.quantity)
        with self._lock:
            share.keep(first)
            self._bar.booted(share.site, boot, share.label)
        return first

    def _work(self, first: Machine, share: _Share, machine: machines.Server) -> bool:
        """Have what is left done one by one, as far as it can be; return False where the machine did not survive it."""
        failures, done = 0, None
        with self._lock:
            jobs = share.left(first)
            for job in share.plan.jobs(first.boot):
                if job not in jobs or not first.can(job, share.plan):  # done before the run was interrupted; can't be
                    self._skip(job, share)
        for job in [one for one in jobs if first.can(one, share.plan)]:
            if isinstance(job, Timing) and done not in (None, job.process) and self._sure(share, job.process):
                return True
            done = job.process if isinstance(job, Timing) else None
            try:
                record = self._do(job, first, share, machine)
            except (Crashed, Hung) as error:
                with self._lock:
                    if self._stopped or not isinstance(job, Play):
                        raise
                    share.survive(job, first.boot, error)
                    share.told.add(job.key)
                    self._bar.done(job, share.plan, share.site)
                    self._bar.print(f"{error}: {_AGAIN}")
                return False
            failures += isinstance(record, Failed)
            if share.site.guest and isinstance(job, Play) and isinstance(record, Played) and record.hung:
                with self._lock:  # what hangs may hold locks, and crash the kernel while another is at work
                    share.count(job, first.boot)
                    self._bar.print(f"{job.name}: {record.runs[-1].failed}: {_AGAIN}")
                return False
            if failures >= _FAILURES:
                break
        return True

    def _skip(self, job: Job, share: _Share) -> None:
        """Take note, once, of a job for which there is nothing to do, or no more."""
        if job.key not in share.told:
            share.told.add(job.key)
            self._bar.skip(job, share.plan, share.site)

    def _sure(self, share: _Share, done: int) -> bool:
        """Whether so many processes are enough, and what is left of the plan is not to be done."""
        with self._lock:
            planned = share.plan
            sure = share.sure(done)
            self._bar.leave(planned, share.plan, share.site)
            return sure

    def _do(self, job: Job, first: Machine, share: _Share, machine: machines.Server) -> Record:
        """Have one job done, keep what came of it, and return it."""
        if machine.counts:
            machine.counts.drop()
        date, start = _now(), time.monotonic()
        machine.send(records.encode(job))
        try:
            record = _decoded(machine.line(share.plan.limit(job), job.name))
        except Crashed as error:
            raise Crashed(f"{error} (while measuring {job.name})", error.hint, error.first) from None
        except (GuestFailed, WorkerFailed) as error:
            named = str(error) if job.name in str(error) else f"{error} (while measuring {job.name})"
            raise type(error)(named, error.hint) from None
        if wrong := expected.answer(record, job, share.plan, first):
            raise WorkerFailed(f"the answer to {job.name} is {wrong}", UNTRUSTED)
        if machine.counts and isinstance(record, Timed):
            record = counting.counted(record, machine.counts.take())
        if isinstance(record, Timed) and "date" in record.facts:
            record = record._replace(facts=record.facts | {"date": date})
        with self._lock:
            share.keep(record)
            share.told.add(job.key)
            self._bar.done(job, share.plan, share.site, time.monotonic() - start)
        return record


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _judge(shares: Sequence[_Share]) -> None:
    """Raise what must not be hidden, of all parts."""
    found = [(share, error) for share in shares if (error := share.complaint())]
    if not found:
        return
    if len(shares) == 1:
        raise found[0][1]
    said = "; ".join(str(error) if share.fallen else f"{share.label}: {error}" for share, error in found)
    whole = [share.kept() for share in shares if share not in [one for one, _ in found]]
    hint = "; ".join(dict.fromkeys(filter(None, [*whole, *(error.hint for _, error in found)])))
    raise type(found[0][1])(said, hint)


def _messages(said: str | None, boot: int, console: list[str], lines: int) -> Messages:
    """What the kernel's log says of a boot: the machine's last record, or what a guest's console had."""
    if said is None:
        return Messages(boot, *kernel_log.scan(console), lines=lines)
    record = _decoded(said)
    if (wrong := expected.end(record, boot)) or not isinstance(record, Messages):
        raise WorkerFailed(f"the measuring process sent {wrong}", UNTRUSTED)
    return record


def _decoded(line: str | None) -> Record:
    """The record of a line that a machine sent. Raises WorkerFailed: it is not trusted."""
    if line is None:
        raise WorkerFailed("the measuring process ended before its work did", UNTRUSTED)
    try:
        return records.decode(line)
    except BadInput as error:
        raise WorkerFailed(f"the measuring process sent {error}", UNTRUSTED) from None
