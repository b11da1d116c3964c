# SPDX-License-Identifier: GPL-2.0-only
"""Carries out a plan: boots machines, gives them jobs one by one, and appends what they answer to the log."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from bench.errors import BadInput, GuestFailed, Unsupported, WorkerFailed
from bench.plan import records
from bench.plan.plan import Job, Plan, Play, Timing
from bench.plan.records import Failed, Machine, Played, Record, Timed
from bench.run import machines
from bench.run.progress import Bar
from bench.store.log import Log

START_SECONDS = 600.0  # for a machine to say what it is, each interface's probes included
PLAY_SECONDS = 60.0  # beside what each play may take
_FAILURES = 3  # failed jobs of one boot after which it is given up


def measure(plan: Plan, site: machines.Site, folder: Path) -> None:
    """Measure the plan into the log of a folder that is there.

    Raises Unsupported where nothing can be measured, WorkerFailed or GuestFailed where something was not: what was is
    in the log.
    """
    with Log(folder) as log, Bar(plan, site) as bar:
        campaign = _Campaign(plan, site, folder, log, bar)
        try:
            log.append(plan)
            campaign.run()
            campaign.judge()
        except Unsupported:  # said in full: there is nothing to look up
            for console in folder.glob("guest*.log"):
                console.unlink()
            raise
        finally:
            if not campaign.done:  # what measured nothing is no result
                log.path.unlink()


class _Campaign:
    """One plan under way. Its boots share the log and the progress bar, one of them at a time."""

    def __init__(self, plan: Plan, site: machines.Site, folder: Path, log: Log, bar: Bar) -> None:
        self._plan, self._site, self._folder, self._log, self._bar = plan, site, folder, log, bar
        self._lock = threading.Lock()
        self._boots = deque(range(plan.boots))
        self._running: list[machines.Server] = []
        self._machines: list[Machine] = []
        self._failed: list[Failed] = []
        self._stopped = False
        self.done = 0

    def run(self) -> None:
        """Boot until no boot is left, as many at once as the site allows; the first error ends all."""
        with ThreadPoolExecutor(self._site.at_once) as pool:
            lanes = [pool.submit(self._lane) for _ in range(min(self._site.at_once, self._plan.boots))]
            try:
                done, _ = wait(lanes, return_when=FIRST_EXCEPTION)
                for lane in done:
                    lane.result()
            finally:
                self._stop()

    def _lane(self) -> None:
        while True:
            with self._lock:
                if not self._boots:
                    return
                boot = self._boots.popleft()
            self._boot(boot)
            with self._lock:  # one kernel: what can't be measured in one boot can't be in any
                if not self.done and not self._failed:
                    self._boots.clear()

    def _stop(self) -> None:
        """End what still runs: nothing outlives an error or Ctrl-C."""
        with self._lock:
            self._stopped = True
            self._boots.clear()
            for machine in self._running:
                machine.kill()

    def _boot(self, boot: int) -> None:
        log = self._folder / ("guest.log" if self._plan.boots == 1 else f"guest-{boot}.log")
        with self._site.start(log, self._bar.print) as machine:
            with self._lock:
                self._running.append(machine)
                if self._stopped:  # while this one was starting
                    return
            machine.send(records.encode(self._plan))
            machine.send(str(boot))
            first = _decoded(machine.line(START_SECONDS, "saying what the machine is"))
            if not isinstance(first, Machine) or first.boot != boot:
                raise WorkerFailed("the first record is not the machine's", "its messages are above")
            facts = first.facts | self._site.facts | ({"qemu": machine.command_line} if machine.command_line else {})
            first = first._replace(facts=facts, quantity=self._site.quantity)
            self._keep(first)
            failures = 0
            for job in self._plan.jobs(boot):
                if first.can(job, self._plan):
                    failures += self._do(job, boot, machine)
                    if failures >= _FAILURES:
                        break
                else:
                    with self._lock:
                        self._bar.skip(job)
            machine.send("")
            machine.line(START_SECONDS, "ending")

    def _do(self, job: Job, boot: int, machine: machines.Server) -> bool:
        """Have one job done and keep what came of it; return whether it failed."""
        machine.send(records.encode(job))
        try:
            record = _decoded(machine.line(_limit(job, self._plan), job.name))
        except (GuestFailed, WorkerFailed) as error:
            raise type(error)(f"{error} (while measuring {job.name})", self._kept(error.hint)) from None
        if not _answers(record, job, boot, self._plan):
            raise WorkerFailed(f"the answer to {job.name} is about something else", self._kept(""))
        self._keep(record)
        with self._lock:
            self._bar.done(job)
        return isinstance(record, Failed)

    def _keep(self, record: Record) -> None:
        with self._lock:
            self._log.append(record)
            if isinstance(record, Machine):
                self._machines.append(record)
                self._bar.booted(record)
            elif isinstance(record, Failed):
                self._failed.append(record)
            else:
                self.done += 1

    def _kept(self, hint: str) -> str:
        """What can be done with what was measured before an error."""
        kept = f"{self.done} finished jobs are kept: ./bench.py report {self._folder.name}" if self.done else ""
        return "; ".join(filter(None, [hint, kept]))

    def judge(self) -> None:
        """Raise what a campaign that came to its end must not hide: failed jobs, or none that could be done."""
        if self._failed:
            first = self._failed[0]
            raise WorkerFailed(
                f"{len(self._failed)} of {self.done + len(self._failed)} jobs failed, first {first.job}: {first.why}",
                self._kept("") or "nothing was measured",
            )
        if not self.done:
            reasons = {what: why for one in self._machines for what, why in one.unavailable.items()}
            said = "; ".join(f"{what}: {why.why}" for what, why in reasons.items())
            remedy = next((why.remedy for why in reasons.values() if why.remedy), "")
            raise Unsupported(f"no interface can be measured there ({said or 'no job was done'})", remedy)


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
        same = record.boot == boot and (record.point, record.process) == job
        return same and asked and len(set(forms)) == len(forms)
    if isinstance(record, Played) and isinstance(job, Play):
        return record.boot == boot and (record.scenario, record.interface) == job[:2]
    return isinstance(record, Failed) and (record.boot, record.job) == (boot, job.name)


def _limit(job: Job, plan: Plan) -> float:
    """Seconds after which a machine that has not answered never will: more than its own limits for the same."""
    if isinstance(job, Play):
        return PLAY_SECONDS * (1 + job.times)
    return 60 + job.point.round_seconds * plan.values * 3 * len(plan.interfaces)
