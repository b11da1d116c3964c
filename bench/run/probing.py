# SPDX-License-Identifier: GPL-2.0-only
"""What `probe --kernel` does: boots a guest, and has it say which interfaces work there."""

from __future__ import annotations

from bench import place
from bench.measure.probe import Probed
from bench.plan.interfaces import INTERFACES
from bench.plan.plan import Plan
from bench.plan.records import Machine
from bench.run import commands
from bench.run.campaign import END_SECONDS
from bench.run.measuring import site_of
from bench.run.settle import need_core
from bench.run.share import met, parted
from bench.run.tell import note


def probe(kernel: str, arch: str, accel: str, as_json: bool) -> None:
    """Print which interfaces work in a guest. Raises WrongAnswer, and what guest() does."""
    need_core()
    where, probed = guest(kernel, arch, accel)
    if not as_json:
        print(f"{where}:")
    commands.tell_probed(probed, None, as_json)


def guest(kernel: str, arch: str, accel: str) -> tuple[str, dict[str, Probed]]:
    """Return which guest it was, and what came of each interface's probe there.

    Raises BadInput, Unsupported, GuestFailed and WorkerFailed.
    """
    plan = Plan("probe", "", str(place.version()), tuple(INTERFACES), where="vm", kernel=kernel, arch=arch, accel=accel)
    site = site_of(plan)
    note(f"booting {site.title}")
    with site.start(None, note, 0) as machine:
        found = met(machine, plan, 0)
        parted(machine, END_SECONDS, guest=True)
    where = f"Linux {found.facts['kernel_release']}, {found.facts['architecture']}, pages of {_kib(found)} KiB"
    return where, {name: Probed(found.unavailable.get(name), found.findings.get(name, "")) for name in plan.interfaces}


def _kib(found: Machine) -> int:
    return int(found.facts["page_size"]) >> 10
