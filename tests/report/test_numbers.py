# SPDX-License-Identifier: GPL-2.0-only
"""Numbers as people read them: digits that mean something, and the word of what was measured."""

import math
import re

import pandas as pd
import pytest

from bench.plan.records import INSTRUCTIONS, TIME
from bench.report import numbers
from bench.store.frames import CYCLES

US, COUNT, KILOCYCLES = (numbers.of_quantity(one) for one in (TIME, INSTRUCTIONS, CYCLES))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.14159e-6, "3.14"), (91.26e-6, "91.3"), (912.34e-6, "912.3"), (1.0234e-2, "10234"), (-2e-6, "-2.00")],
)
def test_times_are_us(seconds, text):
    assert numbers.amount(seconds, US) == text
    assert numbers.spoken(seconds, US) == f"{text} us"


@pytest.mark.parametrize(
    ("count", "cell", "said"),
    [
        (0, "0", "0"),
        (4890.4, "4890", "4890"),
        (26_651.9, "26.65k", "26.7 k"),
        (927_900, "927.9k", "928 k"),
        (1_907_149, "1.907M", "1.91 M"),
        (22_467_410, "22.47M", "22.5 M"),
        (113_085_800, "113.1M", "113 M"),
        (99_996_000_000, "100.0G", "100 G"),
        (-26_651, "-26.65k", "-26.7 k"),
    ],
)
def test_instructions_are_counts_with_a_letter_and_never_a_time(count, cell, said):
    assert numbers.amount(count, COUNT) == cell
    assert numbers.bare(count, COUNT) == said
    assert numbers.spoken(count, COUNT) == f"{said} instructions"


def test_every_quantity_has_a_title_and_a_word():
    for of in (US, COUNT, KILOCYCLES):
        assert of.title
        assert of.word
    rows = pd.DataFrame({"quantity": [INSTRUCTIONS]})
    assert numbers.unit(rows) == numbers.small(rows) == numbers.large(rows) == COUNT
    timed = pd.DataFrame({"quantity": [TIME]})
    assert (numbers.small(timed).title, numbers.large(timed).title) == ("ns", "ms")
    assert numbers.amount(2e6, KILOCYCLES) == "2000"


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(8.266, "8.27x"), (82.66, "82.7x"), (826.6, "827x"), (0.126, "0.13x"), (float("inf"), "?")],
)
def test_ratios(ratio, text):
    assert numbers.times(ratio) == text


def test_a_ratio_of_counts_says_fewer_or_more_and_nothing_about_speed():
    assert numbers.against(1.8, US) == "1.80x as fast"
    assert numbers.against(1.8, COUNT) == "1.80x fewer instructions"
    assert numbers.against(0.8, COUNT) == "1.25x more instructions"
    assert not re.search("fast|slow|speed", " ".join([COUNT.less, COUNT.more, COUNT.ratio]))


@pytest.mark.parametrize(
    ("half", "text"), [(0.0, "below 0.01%"), (0.0002, "below 0.1%"), (0.00099, "below 0.1%"), (0.012, "up to 1.2%")]
)
def test_how_far_counts_repeat(half, text):
    assert numbers.repeats(half) == text


@pytest.mark.parametrize(("p", "text"), [(1.0, "1.000"), (0.0412, "0.041"), (0.0005, "0.001"), (1e-9, "<0.001")])
def test_no_chance_is_none(p, text):
    assert numbers.chance(p) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.785, "-21.5%"), (1.0003, "+0.03%"), (3.5, "+250%"), (1, "+0.00%"), (0.999999, "+0.00%"), (math.nan, "?")],
)
def test_changes(ratio, text):
    assert numbers.percent(ratio) == text


@pytest.mark.parametrize(
    ("extra", "missed", "text"),
    [
        (0, 0, ""),
        (512, 0, "+512"),
        (0, 0.0001, "-0.0001"),
        (0.5, 65536, "+0.5-66k"),
        (1e-9, 0, "+1e-09"),
        (2.5e7, 0, "+25M"),
    ],
)
def test_wrong_pages(extra, missed, text):
    assert numbers.wrong(extra, missed) == text


def test_many():
    said = [numbers.many(n, what) for n, what in ((1, "run"), (2, "run"), (2, "process"), (0, "case"))]
    assert said == ["1 run", "2 runs", "2 processes", "0 cases"]
