# SPDX-License-Identifier: GPL-2.0-only
"""From which size on tracking pays: what it costs against the cheapest way of doing the same job without it."""

import pandas as pd

from bench.plan.interfaces import INSTEAD
from bench.stats import samples

KEYS = ["then", "dirty_percent", "pages"]


def against(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each of KEYS and each form that tracks, of frames.intervals()' rows that have a job (`then`).

    Columns besides: `form`, `cost` (median, in the rows' unit), `cheapest` (the form without tracking that costs least
    there), `without` (its median cost), `ratio` (without / cost) and `pays` (bool: the 95 % intervals of the two costs
    do not overlap, and tracking's is the lower one). Where nothing without tracking does a job there are no rows. Of
    points that differ in more than KEYS, those of which there are most.
    """
    some = _alike(rows[rows["then"] != ""])
    if some.empty:
        return pd.DataFrame(columns=[*KEYS, "form", "cost", "cheapest", "without", "ratio", "pays"])
    medians = samples.medians(some, [*KEYS, "form"], "cost").rename(columns={"median": "cost"}).reset_index()
    medians = medians[medians["cost"].notna()]
    medians["least"], medians["most"] = (medians[edge].fillna(medians["cost"]) for edge in ("low", "high"))
    medians = medians[[*KEYS, "form", "cost", "least", "most"]]
    without = medians["form"].isin(INSTEAD)
    cheapest = medians[without].sort_values("cost").drop_duplicates(KEYS)
    cheapest = cheapest.rename(columns={"form": "cheapest", "cost": "without", "least": "without_least"})
    found = medians[~without].drop(columns="least").merge(cheapest.drop(columns="most"), on=KEYS)
    found["ratio"] = found["without"] / found["cost"].where(found["cost"] > 0)
    found["pays"] = found["most"] < found["without_least"]
    return found.drop(columns=["most", "without_least"])


def _alike(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that have the workload, memory and other settings of most of them."""
    other = rows["setting"].astype(str).str.replace(r"\bthen=\w+ ?", "", regex=True).str.strip()
    kind = rows["workload"].astype(str) + " " + rows["kind"].astype(str) + " " + other
    return rows[kind == kind.mode().iloc[0]] if len(rows) else rows


def pays_from(found: pd.DataFrame) -> pd.DataFrame:
    """Return the fewest pages from which on, at all larger sizes measured, tracking pays; NaN where it does not.

    found: of against(); one row per then, dirty_percent and form, with `pages`, `largest` and `ratio` (at the largest
    size) and `cheapest` (without tracking, there).
    """
    made = []
    for (then, dirty, form), some in found.groupby(["then", "dirty_percent", "form"], observed=True):
        own = some.sort_values("pages", ascending=False)
        paying = own[own["pays"].cummin()]
        top = own.iloc[0]
        pages = paying["pages"].min() if len(paying) else float("nan")
        made.append((then, dirty, form, pages, top["pages"], top["ratio"], top["cheapest"]))
    return pd.DataFrame(made, columns=["then", "dirty_percent", "form", "pages", "largest", "ratio", "cheapest"])
