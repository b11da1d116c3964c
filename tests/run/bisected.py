# SPDX-License-Identifier: GPL-2.0-only
"""./bench.py with guests that don't boot but answer as the kernel's source says: slow, or panics."""

import sys

from bench.errors import GuestFailed
from bench.plan.records import INSTRUCTIONS, Machine
from bench.run import bisecting, machines
from bench.run.main import entry
from bench.vm import kernel
from tests.run.scripted import Scripted, answer, series


def site_of(plan):
    """Where such a plan is measured."""
    image = kernel.find(plan.kernel, echo=print)
    source = image.path.read_bytes()
    collect = 200.0 if b"slow" in source else 100.0

    def timed(job):
        if b"panics" in source:
            return GuestFailed("the guest's kernel crashed", "see its log")
        values = {"reset": [10.0], "dirty": [10.0], "collect": [collect]}
        found = [series("none", values={"dirty": [1.0]}, warmups={"dirty": [1.0]})]
        found.append(series("scan-wp", values=values, warmups=values))
        atomic = {"dirty": [10.0], "collect_reset": [collect]}
        found.append(series("scan-wp", atomic=True, values=atomic, warmups=atomic))
        return answer(job, boot=job.process, series=found)

    machine = Machine(0, {"where": "tcg-icount", "kernel_release": "6.0"}, {})
    facts = {"where": "tcg-icount", **image.facts}
    return machines.Site(
        lambda log, echo, boot: Scripted(timed, machine), 1, facts, INSTRUCTIONS, image.title, (), "icount"
    )


if __name__ == "__main__":
    bisecting.site_of = site_of
    sys.exit(entry())
