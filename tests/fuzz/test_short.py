# SPDX-License-Identifier: GPL-2.0-only
"""A short part of `make fuzz`, the same inputs each time; and that a finding is one."""

import pytest

from bench.errors import BadInput
from tests.fuzz import running, targets

COUNTS = {"log": 60, "drawn": 12, "suite": 50, "meaning": 150, "options": 400, "reading": 60}  # of the slow ones
USUAL = 1500


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    with targets.lab(tmp_path_factory.mktemp("fuzz")) as found:
        yield {one.name: one for one in found}


def test_every_target_can_be_named(every):
    assert list(every) == targets.NAMES


@pytest.mark.parametrize("name", targets.NAMES)
def test_no_odd_input_gives_a_traceback(every, name):
    tally = running.run(every[name], 0, count=COUNTS.get(name, USUAL))
    assert not tally.found, "\n".join(one.trace for one in tally.found)
    assert tally.inputs >= COUNTS.get(name, USUAL)
    assert tally.accepted + tally.refused == tally.inputs


def raising(made):
    if made == 3:
        raise ValueError("a bug")
    if made == 4:
        raise BadInput("no hint")
    if made == 5:
        while True:
            pass
    return made > 5


def test_what_must_not_be_is_found_and_can_be_repeated(tmp_path):
    target = running.Target("x", lambda random: random.randrange(8), raising, seconds=0.1)
    tally = running.run(target, 7, count=40)
    assert {one.input for one in tally.found} == {"3", "4", "5"}
    assert "ValueError: a bug" in next(one.trace for one in tally.found if one.input == "3")
    again = running.run(target, 7, count=1, first=tally.found[0].number)
    assert [one.input for one in again.found] == [tally.found[0].input]
    lines = running.keep(tmp_path, again.found)
    assert f"FIRST={tally.found[0].number}" in lines[0]
    assert len(list(tmp_path.iterdir())) == 1


def test_hypothesis_makes_what_it_found_small():
    from hypothesis import strategies as st

    target = running.Target("x", None, lambda words: len(words) < 3 or 1 / 0, words=st.lists(st.integers()))
    (found,) = running.run(target, 0, count=300).found[:1]
    assert found.input == "[0, 0, 0]"
