# SPDX-License-Identifier: GPL-2.0-only
"""What a machine says of itself: of any number, length, type and range that it can be, and of no other."""

import pytest

from bench.errors import BadInput
from bench.plan import facts


@pytest.mark.parametrize("some", [{}, {"cpu_count": 4, "tsc_hz": 2.5e9, "where": "kvm"}, {"unknown": "anything"}])
def test_what_can_be_is_taken(some):
    facts.check(some, "machine")


@pytest.mark.parametrize(
    ("some", "said"),
    [
        (dict.fromkeys(map(str, range(facts.MOST + 1)), 1), "machine has 1001 facts, more than 1000"),
        ({"x" * 201: 1}, "machine has a fact with a name of 201 characters, more than 200"),
        ({"cpu": "x" * 65_537}, "machine.cpu has 65537 characters, more than 65536"),
        ({"kernel_release": "x" * 257}, "machine.kernel_release has 257 characters, more than 256"),
        ({"cpu_count": "4"}, "machine.cpu_count is '4', which is no such number"),
        ({"cpu_count": True}, "machine.cpu_count is True, which is no such number"),
        ({"where": 4}, "machine.where is 4, which is no text"),
        ({"cpu_count": 0}, "machine.cpu_count is 0, not 1 to 1.04858e+06"),
        ({"tsc_hz": float("nan")}, "machine.tsc_hz is nan, not 0 to 1e+15"),
        ({"seed": "x" * 100}, "machine.seed is '" + "x" * 59 + "..., which is no such number"),
    ],
)
def test_what_cannot_be_is_named_with_its_place(some, said):
    with pytest.raises(BadInput) as raised:
        facts.check(some, "machine")
    assert str(raised.value) == said
