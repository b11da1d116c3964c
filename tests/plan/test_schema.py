# SPDX-License-Identifier: GPL-2.0-only
"""Numbers of a file, at the borders of what can be calculated with."""

import pytest

from bench.errors import BadInput
from bench.plan.records import TIME, Machine, decode, encode
from bench.plan.schema import typed

MOST = 2**63 - 1


@pytest.mark.parametrize("value", [0, -3, MOST, -MOST, MOST + 1, -MOST - 1, 2**64, 10**299])
def test_whole_numbers_stay_so_as_long_as_they_are_held_and_are_floats_beyond(value):
    for wanted in (int | float, str | int | float):
        found = typed(value, wanted, "x")
        assert found == (value if abs(value) <= MOST else float(value))
        assert type(found) is (int if abs(value) <= MOST else float)
    assert type(typed(value, float, "x")) is float


@pytest.mark.parametrize(("value", "wanted"), [(MOST + 1, int), (10**301, int | float), (10**400, float)])
def test_what_is_too_large_is_said_to_be(value, wanted):
    with pytest.raises(BadInput, match=r"^x is 1?[0-9.]+, which is too large$"):
        typed(value, wanted, "x")


@pytest.mark.parametrize("value", [True, "1", None, 1e300])
def test_what_is_no_number_is_none(value):
    with pytest.raises(BadInput, match="not int or float"):
        typed(value, int | float, "x")


def test_a_fact_that_is_larger_than_an_integer_comes_back():
    machine = Machine(0, {"cpu_khz": 2**64}, {}, TIME, {})
    assert decode(encode(machine)).facts == {"cpu_khz": float(2**64)}
