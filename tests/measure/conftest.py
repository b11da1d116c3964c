# SPDX-License-Identifier: GPL-2.0-only
"""The interfaces under test; each skips with its probe's reason."""

import functools
import importlib

import pytest

from bench.measure import probe
from bench.plan import interfaces

# Not those that report accessed bits: others clear these too, and what is exact is luck.
TRACKING = [name for name, row in interfaces.INTERFACES.items() if row.tracks and not row.path_of and not row.young]


@functools.cache
def why_not(name):
    return probe.probe(interfaces.find(name)).refused


def working(name):
    """The interface of that name, or a skip with the probe's reason."""
    if reason := why_not(name):
        pytest.skip(f"{name}: {reason.why}")
    return interfaces.find(name)


@pytest.fixture(params=[name for name in TRACKING if interfaces.find(name).flushes])
def interface(request):
    """An interface that sees every write, that to a page written before a reset too."""
    return working(request.param)


@pytest.fixture(params=TRACKING)
def any_interface(request):
    """Any interface: ask rounds() how often the same pages may be written."""
    return working(request.param)


def order(point, seed):
    """The pages that an interval of the point writes, as a worker has them."""
    load = importlib.import_module(f"workloads.{point.workload}")
    return point.spread(load.order(point.populated, point.dirty, seed))


def rounds(interface, count):
    """How many intervals of one pattern are exact: one where a reset leaves TLB entries, as v6's does."""
    return count if interface.flushes else 1


@pytest.fixture
def scan_wp():
    return working("scan-wp")
