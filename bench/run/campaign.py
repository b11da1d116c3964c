# SPDX-License-Identifier: GPL-2.0-only
"""Carries out plans: boots machines in turn, gives them jobs one by one, and appends what they answer to the logs."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import Empty, SimpleQueue

from bench import signals
from bench.errors import Crashed, GuestFailed, Hung, WorkerFailed
from bench.plan import expected, records
from bench.plan.plan import Job, Play, Timing, turns
from bench.plan.records import (
    Failed,
    Machine,
    Played,
    Record,
    Timed,
)
from bench.run import machines
from bench.run.progress import Bar
from bench.run.share import UNTRUSTED, Part, Share, decoded, messages, met, parted
from bench.run.tell import note
from bench.store.log import Log
from bench.vm import counting

END_SECONDS = 60.0  # to say what the kernel's log complained of: it takes a tenth of a second where it is emulated
_FAILURES = 3  # failed jobs of one boot after which it is given up
_AGAIN = "the guest is booted again, for what is left"


def measure(*parts: Part, only: tuple[int, int] | None = None) -> None:
    """Measure what the logs of the parts lack: all, where there is none yet.

    only: this boot of this part, the next of a real machine, which boots when it is told to and not by us.

    Raises Unsupported where nothing can be measured, WorkerFailed or GuestFailed where something was not: what was is
    in the logs.
    """
    with ExitStack() as stack:
        shares = [Share(part, stack.enter_context(Log(part.folder))) for part in parts]
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


def _wanted(shares: Sequence[Share], only: tuple[int, int] | None) -> list[tuple[int, Share, int]]:
    """Return what is to be booted, in order: the number of the turn, whose it is, which of its boots."""
    if only:
        part, boot = only
        return [(sum(len(one.machines) for one in shares), shares[part], boot)]
    order = enumerate(turns([one.plan.boots for one in shares], shares[0].plan.seed))
    return [(turn, shares[i], boot) for turn, (i, boot) in order if boot in shares[i].missing]


class _Campaign:
    """All parts under way. Boots share the logs and the progress bar, one of them at a time."""

    def __init__(self, shares: Sequence[Share], wanted: list[tuple[int, Share, int]], bar: Bar) -> None:
        self._shares, self._turns, self._bar = shares, wanted, bar
        self._lock = threading.Condition()
        self._running: list[machines.Server] = []
        self._stopped = False

    def run(self) -> None:
        """Boot until no boot is left, as many at once as every site allows."""
        at_once = min(one.site.at_once for one in self._shares)
        ended: SimpleQueue[Future[None]] = SimpleQueue()
        with ThreadPoolExecutor(at_once) as pool:
            try:
                count = min(at_once, len(self._turns))
                with signals.later():  # raised while a lock is being taken, it would leave that taken
                    for _ in range(count):
                        pool.submit(self._lane).add_done_callback(ended.put)
                while count:
                    with suppress(Empty):  # in steps: a signal that comes just before a wait is answered after it
                        lane = ended.get(timeout=1.0)
                        count -= 1
                        with signals.later():
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

    def _next(self) -> tuple[int, Share, int] | None:
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

    def _boot(self, turn: int, share: Share, boot: int) -> bool:
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
                said = parted(machine, END_SECONDS, guest=share.site.guest)
            finally:
                share.lines[boot] = share.lines.get(boot, 0) + machine.lines
        with self._lock:
            share.keep(messages(said, boot, share.said(boot), share.lines[boot]))
            planned = share.plan
            share.ended(boot)
            self._bar.leave(planned, share.plan, share.site)
        return True

    def _met(self, turn: int, share: Share, boot: int, machine: machines.Server) -> Machine:
        """Tell a machine the plan, have it say what it is, and keep that."""
        first = met(machine, share.plan, boot)
        facts = first.facts | share.site.facts | {"turn": turn}
        if share.site.guest:  # counted ones have the same date and random numbers again and again
            facts |= {"date": _now(), "boot_time": _now(), "boot_id": str(uuid.uuid4())}
        facts |= {"qemu": machine.command_line} if machine.command_line else {}
        first = first._replace(facts=facts, quantity=share.site.quantity)
        with self._lock:
            share.keep(first)
            self._bar.booted(share.site, boot, share.label)
        return first

    def _work(self, first: Machine, share: Share, machine: machines.Server) -> bool:
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

    def _skip(self, job: Job, share: Share) -> None:
        """Take note, once, of a job for which there is nothing to do, or no more."""
        if job.key not in share.told:
            share.told.add(job.key)
            self._bar.skip(job, share.plan, share.site)

    def _sure(self, share: Share, done: int) -> bool:
        """Whether so many processes are enough, and what is left of the plan is not to be done."""
        with self._lock:
            planned = share.plan
            sure = share.sure(done)
            self._bar.leave(planned, share.plan, share.site)
            return sure

    def _do(self, job: Job, first: Machine, share: Share, machine: machines.Server) -> Record:
        """Have one job done, keep what came of it, and return it."""
        if machine.counts:
            machine.counts.drop()
        date, start = _now(), time.monotonic()
        machine.send(records.encode(job))
        try:
            record = decoded(machine.line(share.plan.limit(job), job.name))
        except Crashed as error:
            raise Crashed(f"{error} (while measuring {job.name})", error.hint, error.first) from None
        except (GuestFailed, WorkerFailed) as error:
            named = str(error) if job.name in str(error) else f"{error} (while measuring {job.name})"
            raise type(error)(named, error.hint) from None
        if wrong := expected.answer(record, job, share.plan, first):
            raise WorkerFailed(f"the answer to {job.name} is {wrong}", UNTRUSTED)
        if machine.counts and isinstance(record, Timed):
            record = counting.counted(record, machine.counts.take(), machine.counts.names)
        if isinstance(record, Timed) and "date" in record.facts:
            record = record._replace(facts=record.facts | {"date": date})
        with self._lock:
            share.keep(record)
            share.told.add(job.key)
            self._bar.done(job, share.plan, share.site, time.monotonic() - start)
        return record


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _judge(shares: Sequence[Share]) -> None:
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
