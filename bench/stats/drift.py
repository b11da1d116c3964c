# SPDX-License-Identifier: GPL-2.0-only
"""How far the boots of one kernel drift apart while others are measured in turn with them: what limits all claims."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.store.frames import CASE


class Drift(NamedTuple):
    """Later boots over earlier ones of one kernel: the geometric mean over all cases, and the case furthest from 1.

    case: a tuple of CASE; boots: how many there are.
    """

    ratio: float
    case: Any
    worst: float
    boots: int

    @property
    def limit(self) -> float:
        """The change, as a logarithm, that is no larger than the drift of all cases together."""
        return abs(float(np.log(self.ratio)))


def drift(rows: pd.DataFrame, column: str = "cost") -> Drift | None:
    """Compare the boots that came later with those that came earlier, by their turns; a middle one counts for neither.

    None where the boots had no turns, where nothing was measured between them, or where there is only one.
    """
    turns = rows.drop_duplicates("boot").set_index("boot")["turn"].sort_values()
    if len(turns) < 2 or (turns < 0).any() or turns.max() - turns.min() < len(turns):
        return None
    half = len(turns) // 2
    medians = rows.groupby([*CASE, "boot"], observed=True)[column].median().unstack("boot")
    early, late = (medians[list(some)].median(axis=1) for some in (turns.index[:half], turns.index[-half:]))
    ratios = (late / early)[(late > 0) & (early > 0)]
    if ratios.empty:
        return None
    logs = np.log(ratios.to_numpy(dtype=np.float64))
    place = int(np.abs(logs).argmax())
    case = next(ratios.index[[place]].to_frame(index=False).itertuples(index=False, name="Case"))
    return Drift(float(np.exp(logs.mean())), case, float(ratios.iloc[place]), len(turns))
