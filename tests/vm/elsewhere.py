# SPDX-License-Identifier: GPL-2.0-only
"""A guest of another architecture that is measured at one point, and what is true of its counts on each of them."""

import shutil

import pytest

from bench.errors import Unsupported
from bench.plan.grids import make_point
from bench.plan.plan import Plan
from bench.plan.records import Machine, Timed
from bench.run import campaign, machines
from bench.run.share import Part
from bench.store import log
from bench.vm import foreign, kernel, qemu

PAGES, DIRTY = 1000, 100
FORMS = ("none", "clear_refs", "scan-wp")


def measured(arch, spec, folder):
    """What one guest says of itself, and of one point; a skip where it can't be emulated, or its kernel not be had."""
    for program in (arch.qemu, f"{arch.triplet}-gcc"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on this machine")
    try:
        qemu.need("icount", arch)
    except Unsupported as error:
        pytest.skip(str(error))
    plan = Plan(
        "own", "", "", FORMS, points=(make_point("random", PAGES, 10),), where="vm", arch=arch.name, counted=True
    )
    try:  # what is fetched; all else is to work
        image = kernel.find(spec, echo=print, arch=arch)
        foreign.python(arch, print)
    except Unsupported as error:
        pytest.skip(f"no kernel to boot: {error}")
    accel = qemu.accelerator("icount", image.path, [], print, arch=arch)
    site = machines.guests(plan, image, accel, print)
    assert not site.unnamed
    campaign.measure(Part(plan, site, folder))
    found = log.read(log.find(folder))[0]
    return next(one for one in found if isinstance(one, Machine)), next(one for one in found if isinstance(one, Timed))


def functions_are_counted(record, arch):
    """Each where its work is done, and they add up."""
    separate = next(one for one in record.series if (one.interface, one.atomic) == ("scan-wp", False))
    for phase, own, others in (
        ("reset", "pagemap_scan_pmd_entry", "do_wp_page"),
        ("dirty", "do_wp_page", "pagemap_scan_pmd_entry"),
        ("collect", "pagemap_scan_pmd_entry", "do_wp_page"),
    ):
        counters, functions = separate.counters[phase], separate.functions[phase][0]
        assert own in functions
        assert others not in functions
        assert sum(functions.values()) == counters["kernel"][0]
        assert counters["user"][0] + counters["kernel"][0] == separate.values[phase][0]
    assert set(separate.counters["dirty"]) == {"user", "kernel", "foreign", *arch.counts}


def faults_are_those_that_pages_make(record):
    """And no store is counted twice; return the counters of scan-wp by phase, and those of the untracked writes."""
    found = {(one.interface, one.atomic): one.counters for one in record.series}
    tracked, untracked = found["scan-wp", False], found["none", False]["dirty"]
    assert untracked["faults"] == untracked["kernel"] == [0]
    assert tracked["dirty"]["faults"] == [DIRTY]
    assert tracked["dirty"]["user"] == untracked["user"], "a store that faults is executed twice, and counted once"
    return tracked, untracked
