# SPDX-License-Identifier: GPL-2.0-only
"""Numbers as text: the one place that formats times, instructions, ratios, changes, pages and counts."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from bench.plan.records import INSTRUCTIONS, TIME
from bench.stats import samples
from bench.store.frames import CYCLES


class Unit(NamedTuple):
    """How a quantity is shown. `factor`: from the frame's unit to that of tables and axes.

    `title` stands in titles and on axes, `word` behind a number in a sentence. `counted`: it nearly repeats from boot
    to boot, and says nothing about speed.
    """

    factor: float
    title: str
    word: str
    counted: bool = False

    @property
    def ratio(self) -> str:
        """What base / new is called, as a heading."""
        return "ratio" if self.counted else "speedup"

    @property
    def less(self) -> str:
        """What an interface is that takes less of it."""
        return f"fewer {self.word}" if self.counted else "faster"

    @property
    def more(self) -> str:
        """What an interface is that takes more of it."""
        return f"more {self.word}" if self.counted else "slower"


_UNITS = {
    TIME: Unit(1e6, "us", "us"),
    INSTRUCTIONS: Unit(1.0, "instructions", "instructions", counted=True),
    CYCLES: Unit(1e-3, "thousands of TSC cycles", "thousand TSC cycles"),
}
_SMALL = {TIME: Unit(1e9, "ns", "ns")}
_LARGE = {TIME: Unit(1e3, "ms", "ms")}


def doings(rows: pd.DataFrame) -> str:
    """What the tracked program does in its dirty phase: writes, or accesses where some of them are reads."""
    return "accesses" if (rows["read_percent"] > 0).any() else "writes"


def unit(rows: pd.DataFrame) -> Unit:
    """The unit of rows that have a quantity."""
    return of_quantity(str(rows["quantity"].iloc[0]))


def of_quantity(quantity: str) -> Unit:
    """The unit of a quantity."""
    return _UNITS[quantity]


def small(rows: pd.DataFrame) -> Unit:
    """The same for amounts per page."""
    return _SMALL.get(str(rows["quantity"].iloc[0])) or unit(rows)


def large(rows: pd.DataFrame) -> Unit:
    """The same for amounts of whole gigabytes."""
    return _LARGE.get(str(rows["quantity"].iloc[0])) or unit(rows)


def amount(value: float, of: Unit) -> str:
    """A value of a frame as a cell of a table: 3.14, 91.2, 912.3, 10234; of instructions 4890, 26.7k, 22.47M."""
    if not math.isfinite(value):
        return "?"
    value *= of.factor
    if of.counted:
        return _counted(value, "")
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{value:.{digits}f}"


def fine(value: float, of: Unit) -> str:
    """The same with three digits also below one: 0.0234, 3.14."""
    shown = value * of.factor
    return f"{shown:.3g}" if abs(shown) < 1 else amount(value, of) if of.counted else three(shown)


def tick(value: float, of: Unit) -> str:
    """A round number at an axis whose title names the unit: 0.5, 20,000; of instructions 500, 20k, 1.5M."""
    letter = ""
    if of.counted:
        size, letter = next(((n, x) for n, x in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if abs(value) >= n), (1.0, ""))
        value /= size
    return f"{value:,.12g}{letter}"


def spoken(value: float, of: Unit) -> str:
    """A value of a frame in a sentence: 22467 us, 22.5 M instructions."""
    return f"{bare(value, of)} {of.word}"


def bare(value: float, of: Unit) -> str:
    """The same where the word stands elsewhere in the sentence: 22467, 22.5 M."""
    return _counted(value * of.factor, " ", 3) if of.counted and math.isfinite(value) else amount(value, of)


def _counted(value: float, space: str, digits: int = 4) -> str:
    """A count with that many digits: 4890, 26.7k or 26.7 k."""
    for limit, size, letter in ((1e10, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= limit:
            whole = len(f"{abs(value) / size:.0f}")
            return f"{value / size:.{max(0, digits - whole)}f}{space}{letter}"
    return f"{value:.0f}"


def times(ratio: float) -> str:
    """A ratio with three digits: 8.27x, 82.7x."""
    return f"{three(ratio)}x" if math.isfinite(ratio) else "?"


def three(value: float) -> str:
    """A number with three digits, or all before the point."""
    return f"{value:.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"


def against(ratio: float, of: Unit) -> str:
    """A ratio base / new in a sentence about new: 8.27x as fast, 1.80x fewer instructions, 1.25x more instructions."""
    if not of.counted:
        return f"{times(ratio)} as fast"
    return f"{times(max(ratio, 1 / ratio))} {of.less if ratio >= 1 else of.more}"


def spread(row: "Mapping[str, Any] | pd.Series[Any]") -> str:
    """Half width of an estimate: +-3%, +-0.4%; empty where it is not known."""
    half = 100 * samples.half_width(row)
    digits = 0 if half >= 0.95 or half == 0 else 1 if half >= 0.095 else 2  # counts repeat to a hundredth
    return "" if math.isnan(half) else f"+-{half:.{digits}f}%" if half < 1000 else "+-?"


def repeats(half: float) -> str:
    """How far counted units are from their median: below 0.1%, up to 1.2%."""
    return "below 0.01%" if half < 0.0001 else "below 0.1%" if half < 0.001 else f"up to {digits(100 * half)}%"


def percent(ratio: float, sign: str = "change") -> str:
    """A ratio new/old as a change in percent: -21.5%, +0.03%."""
    change = 100 * (ratio - 1) * (1 if sign == "change" else -1)
    text = digits(abs(change))
    return f"{'-' if change < 0 and float(text) else '+'}{text}%" if math.isfinite(change) else "?"


def chance(p: float) -> str:
    """A p value; one that rounds to nothing is no 0."""
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"


def signed(change: float) -> str:
    """A number of percent in a sentence that names the direction: 2.8, and -0.3 for the other one."""
    return f"{'-' if change < 0 else ''}{digits(abs(change))}"


def digits(value: float) -> str:
    """A number of percent, with the digits that mean something."""
    return f"{value:.{2 if value < 1 else 1 if value < 100 else 0}f}"


def wrong(extra: float, missed: float) -> str:
    """Pages per interval that were reported too much (+) and too little (-); empty if none. Never rounds to nothing."""
    return "".join(sign + _pages(count) for sign, count in (("+", extra), ("-", missed)) if count)


def _pages(count: float) -> str:
    for limit, size, suffix in ((10_000_000, 1_000_000, "M"), (10_000, 1000, "k")):
        if count >= limit:
            return f"{count / size:.0f}{suffix}"
    return f"{count:.2g}" if count < 10 else f"{count:.0f}"


def many(count: int, what: str) -> str:
    """1 run, 2 runs, 2 processes."""
    return f"{count} {what}{'' if count == 1 else 'es' if what.endswith('s') else 's'}"
