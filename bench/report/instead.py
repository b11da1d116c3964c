# SPDX-License-Identifier: GPL-2.0-only
"""The table of the suite instead: from which size and share of written pages on tracking pays, for each job."""

import math
from typing import Any

import pandas as pd

from bench.plan.interfaces import INSTEAD, INTERFACES
from bench.report import numbers, tables
from bench.report.layout import grid, note, paragraph
from bench.report.numbers import many, times
from bench.stats import instead

_JOBS = {
    "copy": "a backup of the memory is kept: written pages copied",
    "wipe": "the memory is made zero again: written pages wiped",
}
_INCLUDED = {
    "copy": "the backup is in the same process, where clear_refs walks and protects it; fork needs none: of fork it is "
    "the page tables of the whole process, and the copies that the next writes make; "
    "nobody saves the snapshot",
    "wipe": "MADV_DONTNEED leaves page faults to the next writes",
}


_COUNTED = (
    "instructions know no memory bandwidth, by which copying and wiping are bound: where tracking pays is for times to "
    "say; and what the process before executes as it ends is foreign work, in no number"
)


def table(rows: pd.DataFrame) -> str:
    """A block for each job: a row for each form that tracks, a column for each share of written pages."""
    found = instead.against(rows)
    return "\n\n".join(_block(then, found[found["then"] == then], rows) for then in _JOBS if then in set(found["then"]))


def _block(then: str, found: pd.DataFrame, rows: pd.DataFrame) -> str:
    without = ", ".join(name for name in INSTEAD if INTERFACES[name].instead == then)
    pays, unit = instead.pays_from(found), numbers.unit(rows)
    shares = sorted(pays["dirty_percent"].unique())
    wrong = rows[rows["then"] == then].groupby("form", observed=True)["wrong_intervals"].sum()
    known = pays.set_index(["form", "dirty_percent"])
    forms = [form for form in rows["form"].cat.categories if form in set(pays["form"])]
    body = [
        [("*" if wrong.get(form, 0) else "") + str(form), *(_cell(known, form, share) for share in shares)]
        for form in forms
    ]
    top = pays.drop_duplicates("dirty_percent").set_index("dirty_percent")
    body += [[], ["(cheapest without)", *(str(top.loc[share, "cheapest"]) for share in shares)]]
    included = _INCLUDED[then]
    if unit.counted:
        included += f"; {_COUNTED}"
    job = f"where {_JOBS[then]}, against {without}"
    title = f"From how many pages on tracking pays, {job}; {unit.title} (median), all phases; fewer pages, and more "
    title += f"{unit.ratio}, are better"
    heads = [["", *(f"{share:g}%" for share in shares)]]
    legend = (
        f"pages from which on, at all larger sizes measured, it costs less than the cheapest way without tracking, and "
        f"the {unit.ratio} at {many(int(pays['largest'].max()), 'page')}: cheapest / form; not: there it does not cost "
        "less, or not surely; "
        f"columns: share of pages written; {included}"
    )
    stars = ["* = not every interval was exact"] if any(line[0].startswith("*") for line in body if line) else []
    lines = [*map(paragraph, (title, tables.memory(rows), tables.where(rows))), "", grid(heads, body)]
    return "\n".join([*lines, *map(note, [legend, *stars])])


def _cell(known: pd.DataFrame, form: str, share: float) -> str:
    if (form, share) not in known.index:
        return ""
    one: Any = known.loc[[(form, share)]].iloc[0]
    return f"{'not' if math.isnan(one['pages']) else f'{one.pages:.0f}'} {times(one['ratio'])}"
