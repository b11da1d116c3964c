# SPDX-License-Identifier: GPL-2.0-only
"""The server of workers: `python -m bench.measure.serve`, here or in a guest.

It reads lines and answers each with one record: first the plan and the number of the boot, answered by what the machine
is; then job after job, each done by a process forked from this one. An empty line ends it: on the running kernel it is
answered by what that kernel's log has complained of since; a guest's console tells the host. Nothing runs while it
waits for the next job, so whoever keeps the records never disturbs a worker.
"""

from __future__ import annotations

import os
import signal
import sys

from bench.errors import BenchError
from bench.measure import isolated, probe, timing
from bench.measure.core import die_with_parent, forgo_huge_pages
from bench.measure.messages import KernelLog
from bench.plan import records
from bench.plan.interfaces import ACCESSED, INTERFACES, Reason
from bench.plan.plan import Plan, Play, Timing
from bench.plan.records import Failed, Machine, Record

HUGE_PAGES = "/proc/sys/vm/nr_hugepages"
DAMON_STAT = "/sys/module/damon_stat/parameters/enabled"
MACHINE_SECONDS = 180.0  # to say what the machine is: 4 s where it is emulated, 10 s of waiting after a boot included


def main() -> int:
    """Serve until an empty line or the end of input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's to answer, and it ends this process
    if len(sys.argv) > 1:
        die_with_parent(int(sys.argv[1]))
    forgo_huge_pages()
    lines = iter(isolated.Lines(0))
    plan, boot = records.decode(next(lines).decode()), int(next(lines))
    assert isinstance(plan, Plan)
    if plan.where == "vm":  # a machine of ours: nobody else's settings
        _reserve(plan.huge_pages)
        _allow_folios(plan)
        _end_damon_stat(plan)
    with KernelLog() as kernel:
        machine = survey(plan, boot)
        _say(machine)
        for line in lines:
            if line.strip():
                _say(_done(records.decode_job(line.decode()), plan, machine))
                continue
            if plan.where != "vm":
                _say(kernel.messages(boot))
            break
    return 0


def _say(record: Record) -> None:
    """Print one record, whole."""
    data = records.encode(record).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


def _reserve(pages: int) -> None:
    """Reserve pages of hugetlb. A kernel that has none says so in the probe."""
    if pages:
        try:
            with open(HUGE_PAGES, "w") as reserved:
                reserved.write(str(pages))
        except OSError as error:
            print(f"no hugetlb pages in this kernel: {error.strerror}", file=sys.stderr)


def _allow_folios(plan: Plan) -> None:
    """Allow folios of the sizes that are measured to who asks for them. A kernel that has none says so in the probe."""
    for kind in plan.folios:
        from bench.measure.folios import setting  # noqa: PLC0415  (of few plans)

        try:
            with open(setting(kind), "w") as allowed:
                allowed.write("madvise")
        except OSError as error:
            print(f"no folios of {4 * kind.folio} KiB in this kernel: {error.strerror}", file=sys.stderr)


def _end_damon_stat(plan: Plan) -> None:
    """Have the kernel's own DAMON look at no page: it clears accessed bits, and lets nobody else use DAMON."""
    if any(INTERFACES[name].prop == ACCESSED for name in plan.interfaces) and os.path.exists(DAMON_STAT):
        try:
            with open(DAMON_STAT, "w") as enabled:
                enabled.write("N")
        except OSError as error:
            print(f"DAMON_STAT goes on: {error.strerror}", file=sys.stderr)


def survey(plan: Plan, boot: int) -> Machine:
    """Say what the machine is and what can't be measured on it. Raises BenchError where it can't be told."""
    said, trouble = isolated.run(lambda say: say(_facts(plan)), MACHINE_SECONDS)
    if trouble or not said:
        raise BenchError(f"the machine can't be described: {trouble or 'nothing was said'}")
    reasons, findings = probe.survey(plan.interfaces, plan.points, plan.directory)
    tracking = [name for name in plan.interfaces if INTERFACES[name].tracks]
    if plan.scenarios and all(name in reasons for name in tracking):
        reasons.setdefault("scenarios", Reason("no interface can be played with here", "./bench.py probe says why"))
    return Machine(boot, said[0], reasons, findings=findings)


def _facts(plan: Plan) -> records.Facts:
    """In a process of its own: what it imports is no part of the workers."""
    from bench.measure import events, machine, play  # noqa: PLC0415  (pyperf: seconds under TCG)

    machine.settle()
    facts = machine.record()
    if not plan.counted:
        facts |= events.facts()
    return facts | {"copy_page_ns": play.copy_cost()} if plan.scenarios else facts


def _done(job: Timing | Play, plan: Plan, machine: Machine) -> Record:
    """Do a job in a process of its own, and return its record, which says so where it failed."""
    if isinstance(job, Play):
        from bench.measure import play  # noqa: PLC0415  (no part of a worker that measures)

        return play.perform(job, machine.boot)
    names = machine.usable(plan.interfaces, job.point)
    said, trouble = isolated.run(lambda say: say(_work(job, plan, names, machine.boot)), plan.seconds(job.point))
    if said and not trouble:
        return records.decode(said[0])
    return Failed(machine.boot, job.name, trouble or "it said nothing")


def _work(job: Timing, plan: Plan, names: list[str], boot: int) -> str:
    try:
        return records.encode(timing.measure(job, plan, names, boot))
    except OSError as error:
        why = f"{error.filename} failed: {error.strerror} (errno {error.errno})"
    except (BenchError, MemoryError) as error:
        why = str(error) or "out of memory"
    return records.encode(Failed(boot, job.name, why))


def _told() -> int:
    """Do main()'s work; say in one line why it can't be done."""
    try:
        return main()
    except BrokenPipeError:  # who asked is gone
        return 1
    except (BenchError, OSError) as error:
        print(f"measuring process: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(_told())
