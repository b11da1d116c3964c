# SPDX-License-Identifier: GPL-2.0-only
"""The interfaces under test; each skips with its probe's reason."""

import functools

import pytest

from bench import interfaces

TRACKING = [name for name, interface in interfaces.INTERFACES.items() if interface.tracks]


@functools.cache
def why_not(name):
    return interfaces.probe(interfaces.find(name))


def working(name):
    """The interface of that name, or a skip with the probe's reason."""
    if reason := why_not(name):
        pytest.skip(f"{name}: {reason.why}")
    return interfaces.find(name)


@pytest.fixture(params=TRACKING)
def interface(request):
    return working(request.param)


@pytest.fixture
def scan_wp():
    return working("scan-wp")
