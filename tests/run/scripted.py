# SPDX-License-Identifier: GPL-2.0-only
"""Machines that answer jobs as a test says."""

import threading

from bench.plan import records
from bench.plan.grids import make_point
from bench.plan.plan import Plan
from bench.plan.records import Machine, Series, Timed
from bench.run import machines

POINTS = (make_point("random", 64, 10), make_point("all", 8, 100))
PLAN = Plan("own", "./bench.py run", "0", ("none", "scan-wp"), points=POINTS, processes=2, seed=3)

INTERVALS = 2  # of a series that says nothing else: as many as its job's point has, in an answer


def series(interface, atomic=False, **more):
    phases = ("dirty", "collect_reset") if atomic else ("reset", "dirty", "collect")
    values = {phase: [10.0] for phase in phases if interface != "none" or phase == "dirty"}
    return Series(interface, atomic, INTERVALS, 0, 0, values, values)._replace(**more)


def answer(job, boot=0, **more):
    """The honest record of a job."""
    some = more.pop("series", [series("none"), series("scan-wp"), series("scan-wp", True)])
    some = [one._replace(intervals=job.point.loops + 1) if one.intervals == INTERVALS else one for one in some]
    facts = {"writes": 1, "written_pages": 1}
    return Timed(boot, job.point, job.process, some, {}, facts)._replace(**more)


class Scripted:
    """A machine that answers jobs as a function says: a record, a line, None for its end, or an exception."""

    command_line, counts, lines = "", None, 0

    def __init__(self, answers, machine=None):
        self.answers, self.sent, self.killed = answers, [], threading.Event()
        self.machine = machine or Machine(0, {"where": "kvm", "kernel_release": "6.0"}, {})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.killed.set()

    def send(self, line):
        self.sent.append(line)

    def kill(self):
        self.killed.set()

    def line(self, seconds, doing="its work"):
        assert seconds > 0
        if len(self.sent) == 2:
            return records.encode(self.machine._replace(boot=int(self.sent[1])))
        if not self.sent[-1]:
            return None
        said = self.answers(records.decode_job(self.sent[-1]))
        if isinstance(said, Exception):
            raise said
        return said if said is None or isinstance(said, str) else records.encode(said)


def site(*scripts, at_once=1, facts=None):
    """Machines that start in this order; facts: of guests, where nothing else is said."""
    waiting = iter(scripts)
    known = {"kernel_image": "x"} if facts is None else facts
    return machines.Site(lambda log, echo, boot: next(waiting), at_once, known, "instructions", "a script")
