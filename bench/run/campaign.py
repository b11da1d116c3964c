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

from bench.errors import BadInput, BenchError, GuestFailed, Unsupported, WorkerFailed
from bench.plan import kernel_log, records
from bench.plan.plan import Job, Plan, Play, Timing, turns
from bench.plan.records import PHASES, Failed, Machine, Messages, Played, Record, Timed
from bench.run import machines, resume
from bench.run.progress import Bar
from bench.store.log import Log
from bench.vm import counting

START_SECONDS = 600.0  # for a machine to say what it is, each interface's probes included
PLAY_SECONDS = 60.0  # beside what each play may take
_FAILURES = 3  # failed jobs of one boot after which it is given up
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
        return not (self.running and 0 < self.plan.least_boots <= boot)

    def ended(self, boot: int) -> None:
        """Take note of a boot that came to its end: where enough boots agree, the plan has no others any more."""
        self.missing.discard(boot)
        ended, least = self.plan.boots - len(self.missing), self.plan.least_boots
        in_order = self.missing == set(range(ended, self.plan.boots))
        if self.missing and in_order and 0 < least <= ended and not self.fallen and self._agree():
            self.plan = self.plan.with_boots(ended)
            self.missing.clear()
            self.keep(self.plan)

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
        """Take note of a boot that came to no end."""
        self._log.append(Failed(boot, "", str(error)))
        if any(one.boot == boot for one in self.machines):
            self._log.append(_messages(None, boot, self.said(boot)))
        self.fallen.append(error)
        self.missing.discard(boot)
        self.given_up = len(self.fallen) >= _FALLEN

    def kept(self) -> str:
        """What can be done with what was measured before an error."""
        name = f"{self.folder.parent.name}/{self.folder.name}" if self.label else self.folder.name
        return f"{self.done} finished jobs are kept: ./bench.py report {name}" if self.done else ""

    def tidy(self) -> None:
        """Remove what measured nothing: it is no result. A console's log stays where it says why."""
        self._log.path.unlink()
        for console in [] if self.fallen else self.folder.glob("guest*.log"):
            console.unlink()

    def complaint(self) -> BenchError | None:
        """What a campaign that came to its end must not hide: boots that fell, failed jobs, or none that was done."""
        if self.fallen:
            first = self.fallen[0]
            hint = "; ".join(filter(None, [first.hint, self.kept()]))
            more = f"; {len(self.fallen)} boots came to no end" if len(self.fallen) > 1 else ""
            return type(first)(f"{first}{more}", hint)
        if self.failed:
            one = self.failed[0]
            what = f"{len(self.failed)} of {self.done + len(self.failed)} jobs failed, first {one.job}: {one.why}"
            return WorkerFailed(what, self.kept() or "nothing was measured")
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
            lanes = [pool.submit(self._lane) for _ in range(min(at_once, len(self._turns)))]
            try:
                done, _ = wait(lanes, return_when=FIRST_EXCEPTION)
                for lane in done:
                    lane.result()
            finally:
                self._stop()

    def _lane(self) -> None:
        while found := self._next():
            turn, share, boot = found
            try:
                self._boot(turn, share, boot)
            except (GuestFailed, WorkerFailed) as error:
                with self._lock:
                    if self._stopped:
                        return
                    label = " ".join(filter(None, [share.label, f"boot {boot}" if share.plan.boots > 1 else ""]))
                    share.fell(boot, type(error)(f"{label}: {error}" if label else str(error), error.hint))
                    if label:  # else the error says it all, and at once
                        self._bar.print(str(share.fallen[-1]))
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

    def _boot(self, turn: int, share: _Share, boot: int) -> None:
        console = share.console(boot)
        share.begun[boot] = console.stat().st_size if console.exists() else 0
        with share.site.start(console, self._bar.print, boot) as machine:
            with self._lock:
                if self._stopped:  # while this one was starting
                    return
                self._running.append(machine)
            machine.send(records.encode(share.plan))
            machine.send(str(boot))
            first = _decoded(machine.line(START_SECONDS, "saying what the machine is"))
            if not isinstance(first, Machine) or first.boot != boot:
                raise WorkerFailed("the first record is not the machine's", "its messages are above")
            facts = first.facts | share.site.facts | {"turn": turn}
            if share.site.guest:  # counted ones have the same date and random numbers again and again
                facts |= {"date": _now(), "boot_time": _now(), "boot_id": str(uuid.uuid4())}
            facts |= {"qemu": machine.command_line} if machine.command_line else {}
            first = first._replace(facts=facts, quantity=share.site.quantity)
            with self._lock:
                share.keep(first)
                self._bar.booted(share.site)
                jobs = share.left(first)
                for job in share.plan.jobs(boot):
                    if job not in jobs:  # done before the run was interrupted
                        self._bar.skip(job, share.plan, share.site)
            self._work(jobs, first, share, machine)
            machine.send("")
            said = machine.line(START_SECONDS, "ending")
        with self._lock:
            share.keep(_messages(said, boot, share.said(boot)))
            planned = share.plan.boots
            share.ended(boot)
            self._bar.leave(planned, share.plan, share.site)

    def _work(self, jobs: list[Job], first: Machine, share: _Share, machine: machines.Server) -> None:
        """Have the jobs done one by one, as far as they can be done there."""
        failures = 0
        for job in jobs:
            if not first.can(job, share.plan):
                with self._lock:
                    self._bar.skip(job, share.plan, share.site)
                continue
            failures += self._do(job, first.boot, share, machine)
            if failures >= _FAILURES:
                return

    def _do(self, job: Job, boot: int, share: _Share, machine: machines.Server) -> bool:
        """Have one job done and keep what came of it; return whether it failed."""
        if machine.counts:
            machine.counts.drop()
        date = _now()
        machine.send(records.encode(job))
        try:
            record = _decoded(machine.line(_limit(job, share.plan), job.name))
        except (GuestFailed, WorkerFailed) as error:
            raise type(error)(f"{error} (while measuring {job.name})", error.hint) from None
        if not _answers(record, job, boot, share.plan):
            raise WorkerFailed(f"the answer to {job.name} is about something else")
        if machine.counts and isinstance(record, Timed):
            record = counting.counted(record, machine.counts.take())
        if isinstance(record, Timed) and "date" in record.facts:
            record = record._replace(facts=record.facts | {"date": date})
        with self._lock:
            share.keep(record)
            self._bar.done(job, share.plan, share.site)
        return isinstance(record, Failed)


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
    hint = "; ".join(dict.fromkeys(filter(None, [*(error.hint for _, error in found), *whole])))
    raise type(found[0][1])(said, hint)


def _messages(said: str | None, boot: int, console: list[str]) -> Messages:
    """What the kernel's log says of a boot: the machine's last record, or what a guest's console had."""
    if said is None:
        return Messages(boot, *kernel_log.scan(console))
    record = _decoded(said)
    if not isinstance(record, Messages) or record.boot != boot:
        raise WorkerFailed("the last record is not what the kernel's log says")
    return record


def _decoded(line: str | None) -> Record:
    """The record of a line that a machine sent. Raises WorkerFailed: it is not trusted."""
    if line is None:
        raise WorkerFailed("the measuring process ended before its work did", "its messages are above")
    try:
        return records.decode(line)
    except BadInput as error:
        raise WorkerFailed(f"the measuring process sent {error}", "its messages are above") from None


def _answers(record: Record, job: Job, boot: int, plan: Plan) -> bool:
    """Whether a record is the answer to a job: of this boot, about what was asked for, once each."""
    if isinstance(record, Timed) and isinstance(job, Timing):
        forms = [(one.interface, one.atomic) for one in record.series]
        counts = {len(values) for one in record.series for values in one.values.values()}
        asked = {name for name, _ in forms} <= set(plan.interfaces) and counts <= {plan.values}
        return record.boot == boot and record.key == job.key and asked and len(set(forms)) == len(forms)
    if isinstance(record, Played) and isinstance(job, Play):
        return record.boot == boot and record.key == job.key
    return isinstance(record, Failed) and (record.boot, record.job) == (boot, job.name)


def _limit(job: Job, plan: Plan) -> float:
    """Seconds after which a machine that has not answered never will: more than its own limits for the same."""
    if isinstance(job, Play):
        return PLAY_SECONDS * (1 + job.times)
    return 60 + plan.seconds(job.point)
