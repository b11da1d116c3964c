# SPDX-License-Identifier: GPL-2.0-only
"""Merged results: how much of what was measured is between machines, and comparisons that leave that out."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.store.frames import CASE


class Between(NamedTuple):
    """How far machines are apart, and boots of one machine: medians over all cases, as fractions of the least one.

    worst: the case in which the machines' medians are furthest apart, a tuple of CASE, and by how much: most.
    """

    machines: list[str]
    usual: float
    within: float
    worst: Any
    most: float


def between(rows: pd.DataFrame, column: str = "cost") -> Between | None:
    """Say how far the machines of a merged result are apart; None where it is of one. Rows are frames.intervals()'."""
    names = named(rows)
    if len(names) < 2:
        return None
    boots = rows.groupby([*CASE, "machine", "boot"], observed=True)[column].median()
    per = boots.groupby([*CASE, "machine"], observed=True)
    spread = (per.max() / per.min() - 1).where(per.min() > 0)
    medians = per.median().unstack("machine")
    apart = (medians.max(axis=1) / medians.min(axis=1) - 1).where(medians.min(axis=1) > 0).dropna()
    if apart.empty:
        return None
    worst = apart.index.to_frame(index=False).itertuples(index=False)
    case = next(one for one, value in zip(worst, apart, strict=True) if value == apart.max())
    return Between(names, float(apart.median()), float(spread.median()), case, float(apart.max()))


def named(rows: pd.DataFrame) -> list[str]:
    """Return the machines of a merged result in the order of their boots; none where it is of one."""
    return [name for name in rows.sort_values("boot")["machine"].astype(str).unique() if name]


def levelled(base: pd.DataFrame, new: pd.DataFrame, column: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of two results that both machines' have, without what is between the machines.

    Each machine's values are divided by the base's median there, and multiplied by the median of those over the
    machines, case by case: what is left is what the kernels differ by on one machine. Results of one machine come back
    as they are.
    """
    shared = [name for name in named(base) if name in named(new)]
    if not shared:
        return base, new
    base, new = (rows[rows["machine"].isin(shared)] for rows in (base, new))
    medians = base.groupby([*CASE, "machine"], observed=True)[column].median()
    usual = medians.groupby(CASE, observed=True).median()
    factors = (usual / medians).where((medians > 0) & (usual > 0)).rename("factor").reset_index()
    keys = [*CASE, "machine"]
    factors["machine"] = factors["machine"].astype(str)
    sides = []
    for rows in (base, new):
        found = rows.assign(machine=rows["machine"].astype(str), form=rows["form"].astype(str))
        found = found.merge(factors.assign(form=factors["form"].astype(str)), on=keys, how="left")
        sides.append(found.assign(**{column: found[column] * found["factor"].fillna(1.0)}).drop(columns="factor"))
    return sides[0], sides[1]


def by_machine(base: pd.DataFrame, new: pd.DataFrame, column: str) -> pd.DataFrame:
    """Ratio new / base of the medians on each machine that both have: float64, a row per CASE, a column per machine."""
    shared = [name for name in named(base) if name in named(new)]
    sides = []
    for rows in (base, new):
        own = rows[rows["machine"].isin(shared)]
        own = own.assign(machine=own["machine"].astype(str), form=own["form"].astype(str))
        sides.append(own.groupby([*CASE, "machine"], observed=True)[column].median())
    ratio = (sides[1] / sides[0]).where((sides[0] > 0) & (sides[1] > 0))
    return ratio.unstack("machine") if len(shared) > 1 else pd.DataFrame()


def agreeing(ratios: pd.DataFrame, cases: pd.DataFrame) -> "pd.Series[bool]":
    """Whether all machines of by_machine() see each of the cases change in one direction.

    What one machine gains and another loses is no change that the kernel makes by itself.
    """
    if ratios.empty:
        return pd.Series(data=True, index=cases.index)
    logs = np.sign(np.log(ratios))
    same = pd.Series(logs.max(axis=1) * logs.min(axis=1) >= 0, index=ratios.index)
    known = same.reindex(pd.MultiIndex.from_frame(cases[CASE].astype({"form": str})))
    return pd.Series(known.fillna(value=True).to_numpy(dtype=bool), index=cases.index)


def geomeans(ratios: pd.DataFrame) -> dict[str, float]:
    """Geometric mean over the cases of by_machine(), by machine; empty where there are not two."""
    return {str(name): float(np.exp(np.log(column.dropna()).mean())) for name, column in ratios.items()}
