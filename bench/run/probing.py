# SPDX-License-Identifier: GPL-2.0-only
"""What `probe --kernel` does: boots a guest, and has it say which interfaces work there."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench import place
from bench.errors import WorkerFailed
from bench.measure.probe import Probed
from bench.plan import expected, records
from bench.plan.interfaces import INTERFACES
from bench.plan.plan import Plan
from bench.plan.records import Machine
from bench.run import commands
from bench.run.measuring import site_of
from bench.run.settle import need_core
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
    with (
        tempfile.TemporaryFile() as log,  # without a name: nothing to tidy up, whatever kills us
        site.start(Path(f"/dev/fd/{log.fileno()}"), note, 0) as machine,
    ):
        machine.send(records.encode(plan))
        machine.send("0")
        line = machine.line(plan.start_limit, "describing the machine")
        found = records.decode(line) if line else None
        if not isinstance(found, Machine) or (wrong := expected.machine(found, plan, 0)):
            raise WorkerFailed(f"the measuring process sent {wrong if isinstance(found, Machine) else 'no machine'}")
        machine.send("")
        machine.line(plan.start_limit, "shutting down")
    where = f"Linux {found.facts['kernel_release']}, {found.facts['architecture']}, pages of {_kib(found)} KiB"
    return where, {name: Probed(found.unavailable.get(name), found.findings.get(name, "")) for name in plan.interfaces}


def _kib(found: Machine) -> int:
    return int(found.facts["page_size"]) >> 10
