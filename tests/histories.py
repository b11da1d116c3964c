# SPDX-License-Identifier: GPL-2.0-only
"""Invented kernels, each with what was counted and what scenarios found: for tests of the history."""

from bench.plan.records import Plays
from bench.store import history as store
from bench.store import packing
from tests import synthetic

WHAT = [("random", 100, 10.0), ("random", 1000, 10.0), ("all", 100, 100.0)]
NAMES = ("clear_refs", "scan-wp")
VERSIONS = ("6.12.95", "6.12.107", "6.16.3", "6.16.12", "7.3.4")  # of five()
SCENARIOS = ("plain", "holes_tables", "merge_renewed_last", "writers_separate")
EXTRA, MISSED = [Plays(3, extra=7, broken=3, surplus=3, written=1)], [Plays(3, missed=7, broken=3, written=8)]
DEARER = {"collect": {"pagemap_pmd_range": 0.7, "vm_normal_page": 0.9}}  # 1.6 times what it was


def counted(top, version, shares=None, **options):
    """A kernel's counted half, packed."""
    folder = top / store.COUNTED / version
    some = {
        "what": WHAT,
        "processes": 1,
        "rounds": 3,
        "suite": store.SUITES[store.COUNTED],
        "noise": 1e-6,
        "where": synthetic.COUNTED,
    }
    some |= {"interfaces": ["none", *NAMES]}
    exact = synthetic.FUNCTIONS | (shares or {})
    synthetic.result(folder, exact=exact, kernel_release=f"{version}+deb13-cloud-amd64", **some | options)
    packing.pack(folder)


def played(top, version, runs=None):
    """A kernel's verdicts, packed; every other one is exact."""
    folder = top / store.PLAYED / version
    known = {("writers_separate", "clear_refs"): [Plays(2), Plays(1, missed=1, broken=1)]}
    synthetic.played(folder, f"{version}+deb13-cloud-amd64", known | (runs or {}), NAMES, SCENARIOS)
    packing.pack(folder)


def five(top):
    """Five kernels of three series: a collect gets dearer in 6.16, and a stable kernel has a fix that 6.16 lacks."""
    broken = {("holes_tables", "scan-wp"): EXTRA, ("merge_renewed_last", "clear_refs"): MISSED}
    merged = {("merge_renewed_last", "clear_refs"): MISSED}
    for version, shares, runs in (
        ("6.12.95", None, broken),
        ("6.12.107", None, merged),
        ("6.16.3", DEARER, broken | {("writers_separate", "clear_refs"): MISSED}),
        ("6.16.12", DEARER, broken),
        ("7.3.4", DEARER, {}),
    ):
        counted(top, version, shares)
        played(top, version, runs)
    return top
