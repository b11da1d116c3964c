# SPDX-License-Identifier: GPL-2.0-only
"""Results of two architectures, or page sizes, side by side: what is alike in kind, and so may be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from bench.errors import BadInput
from bench.stats import choice
from bench.stats.comparison import Side
from bench.store import frames
from bench.store.frames import POINT

FACTS = ("architecture", "page_size")
TIMES, SHARE, AMOUNT, OF = "times", "share", "amount", "of"  # how a value is written
# Why values may not be compared
UNITS = "instructions, pages and seconds are each side's own"
OTHERWISE = "the sides were measured in different ways"


class Line(NamedTuple):
    """One quantity: its name, how its values are written, one for each side (of OF: a part and the whole).

    `why`: why it may not be compared, empty where it may.
    """

    what: str
    written: str
    values: list[float | tuple[int, int]]
    why: str = ""


def unlike(sides: Sequence[Side]) -> list[str]:
    """Return the FACTS that are known of all sides, and differ."""
    known = {fact: [one.result.host.get(fact) for one in sides] for fact in FACTS}
    return [fact for fact, found in known.items() if None not in found and len(set(found)) > 1]


def refuse(sides: Sequence[Side]) -> None:
    """Raise BadInput for results whose changes in percent would be of two instruction sets, or page sizes."""
    if facts := unlike(sides):
        raise BadInput(
            f"results that differ in {' and '.join(facts)} have no changes in percent",
            "./bench.py compare, without options, prints what of them may be compared",
        )


def point(sides: Sequence[Side]) -> pd.DataFrame:
    """Return the rows of the base at the most telling point that all sides have. Raises BadInput without any."""
    every = [set(one.rows[POINT].itertuples(index=False, name=None)) for one in sides]
    common, rows = set.intersection(*every), sides[0].rows
    rows = rows[[values in common for values in rows[POINT].itertuples(index=False, name=None)]]
    if rows.empty:
        raise BadInput("they have no point in common", "measure both with the same options")
    return choice.foremost(rows)


def forms(sides: Sequence[Side]) -> list[str]:
    """Return the forms that all sides have, in the base's order."""
    every = [set(one.rows["form"]) for one in sides]
    return [str(form) for form in sides[0].rows["form"].cat.categories if all(form in some for some in every)]


def otherwise(sides: Sequence[Side]) -> str:
    """Return why ratios of the sides may not be compared either; empty where they may.

    Emulation is slower than KVM by far, and not by the same for a store, a fault and a flush.
    """
    return OTHERWISE if len({str(one.rows["where"].iloc[0]) for one in sides}) > 1 else ""


def lines(sides: Sequence[Side], form: str) -> Iterator[Line]:
    """Yield what is known of a form on all sides: at point(), and over the sizes around it.

    Costs in the frame's unit; ratios of numbers of one side each. What an interface answers is the same question
    however it was measured; what a phase is of an interval is not, under emulation and under KVM.
    """
    at = point(sides).iloc[0]
    own = [one.rows[one.rows["form"] == form] for one in sides]
    there = [_of(rows, {key: at[key] for key in POINT}) for rows in own]
    counts = [frames.exactness(rows, ["form"]).iloc[0] for rows in own]
    why = otherwise(sides)
    yield Line("wrong intervals", OF, [(int(one["wrong_intervals"]), int(one["intervals"])) for one in counts])
    medians = [rows.median(numeric_only=True) for rows in there]
    if all(one["untracked"] > 0 for one in medians):
        yield Line("dirty over untracked writes", TIMES, [one["dirty"] / one["untracked"] for one in medians], why)
    for phase in ("reset", "dirty", "collect", "collect_reset"):
        values = [one[phase] / one["interval"] for one in medians]
        if all(value > 0 for value in values):
            yield Line(f"{phase}, of interval", SHARE, values, why)
    small = _smaller(own, at)
    if small:
        grown = [one["cost"] / _of(rows, {**dict(at[POINT]), "pages": small})["cost"].median()
                 for one, rows in zip(medians, own, strict=True)]  # fmt: skip
        yield Line(f"cost over that of {small} pages", TIMES, grown, why)
    yield Line("cost", AMOUNT, [one["cost"] for one in medians], UNITS)


def atomic(sides: Sequence[Side], form: str, separate: str) -> Line:
    """Return what an atomic form costs over its separate one, at point()."""
    at = point(sides).iloc[0]
    cost = [
        [_of(one.rows[one.rows["form"] == name], {key: at[key] for key in POINT})["cost"].median() for one in sides]
        for name in (form, separate)
    ]
    why = otherwise(sides)
    return Line(f"cost over that of {separate}", TIMES, [one / other for one, other in zip(*cost, strict=True)], why)


def _of(rows: pd.DataFrame, values: dict[str, object]) -> pd.DataFrame:
    for key, value in values.items():
        rows = rows[rows[key] == value]
    return rows


def _smaller(own: Sequence[pd.DataFrame], at: pd.Series) -> int:
    """Return the smallest size from 1000 pages on that all have, like `at` but smaller; 0 for none."""
    wanted = {key: at[key] for key in POINT if key != "pages"}
    common = set.intersection(*(set(_of(rows, wanted)["pages"]) for rows in own))
    return min((int(pages) for pages in common if 1000 <= pages < at["pages"]), default=0)
