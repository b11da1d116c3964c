# SPDX-License-Identifier: GPL-2.0-only
"""What makes a median doubtful: units that differ widely, that fall into two groups, that drift over the run."""

import math
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from bench.stats import samples
from bench.stats.samples import ALPHA, Floats

WIDE = 0.05  # half width of a 95 % CI from which a reader is warned
WIDE_COUNTED = 0.01  # distance of a boot that counted instructions from the median: it should repeat
NOTABLE = 0.01  # drift or distance of two groups of runs from which a reader is warned
ORDERED = 8  # units from which their order and their grouping tell something
_NOISE = 10_000  # samples of noise that a grouping is held against
_SEED = 20221109  # fixed: the same data gives the same report


def doubts(rows: pd.DataFrame, by: list[str], column: str) -> pd.DataFrame:
    """What makes a group's median doubtful. All as fractions of the median, NaN where there is nothing to say.

    `wide`: half width of the 95 % CI, from WIDE on; of counts that of the range, from WIDE_COUNTED on. `split`:
    distance of two groups into which the units' medians fall, where normal noise would rarely do so in any of the
    groups. `drift`: last third of the units, which ran one after the other, against the first, where Spearman's rank
    correlation with their order is significant (Holm over all groups). Both from NOTABLE on.
    """
    summary = samples.medians(rows, by, column)
    found = pd.DataFrame(index=summary.index)
    half = np.maximum(summary["high"] - summary["median"], summary["median"] - summary["low"]) / summary["median"].abs()
    found["wide"] = half.where(summary["enough"] & (half >= (WIDE_COUNTED if samples.counted(rows) else WIDE)))
    values = samples.units(rows, by, column).reindex(found.index).to_numpy(dtype=np.float64)
    complete = ~np.isnan(values).any(axis=1)
    for name, of in (("split", _splits), ("drift", _drifts)):
        found[name] = np.nan
        if values.shape[1] >= ORDERED and complete.any():
            sizes = of(values[complete]) / np.abs(summary["median"].to_numpy()[complete])
            found.loc[complete, name] = np.where(np.abs(sizes) >= NOTABLE, sizes, np.nan)
    return found


def _splits(values: Floats) -> Floats:
    """Distance of the two groups of each row of float64[n_groups, n], NaN where normal noise would do as well."""
    n = values.shape[1]
    ordered = np.sort(values, axis=1)
    share, at = _best_split(ordered)
    sums = np.cumsum(ordered, axis=1)
    below = np.take_along_axis(sums, at[:, None] - 1, axis=1)[:, 0]
    distance = (sums[:, -1] - below) / (n - at) - below / at
    return np.where(share > _usual_split(n, len(values)), distance, np.nan)


def _best_split(ordered: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """The share of each sorted row's variance that two groups explain, and the size of the lower group.

    Each group has a fifth of the values at least: outliers are no group.
    """
    n = ordered.shape[1]
    sizes = np.arange(math.ceil(n / 5), n - math.ceil(n / 5) + 1)
    centred = ordered - ordered.mean(axis=1, keepdims=True)
    below = np.cumsum(centred, axis=1)[:, sizes - 1]
    between = below**2 * (1 / sizes + 1 / (n - sizes))
    total = (centred**2).sum(axis=1)
    best = between.argmax(axis=1)
    share = np.divide(between.max(axis=1), total, out=np.zeros(len(total)), where=total > 0)
    return share, sizes[best]


@lru_cache
def _usual_split(n: int, groups: int) -> float:
    """What _best_split() explains of n values of normal noise, in 19 of 20 results of so many groups at most."""
    noise = np.sort(np.random.default_rng(_SEED).normal(size=(_NOISE, n)), axis=1)
    return float(np.quantile(_best_split(noise)[0], 1 - max(ALPHA / groups, 1 / _NOISE)))


def _drifts(values: Floats) -> Floats:
    """Last third less first third of each row of float64[n_groups, n], NaN where its order tells nothing."""
    groups, n = values.shape
    ranks = pd.DataFrame(values).rank(axis=1).to_numpy()
    p = np.ones(groups)
    varies = ranks.std(axis=1) > 0
    centred = ranks[varies] - ranks[varies].mean(axis=1, keepdims=True)
    time = np.arange(n) - (n - 1) / 2
    rho = (centred @ time) / np.sqrt((centred**2).sum(axis=1) * (time**2).sum())
    rho = np.clip(rho, -1 + 1e-12, 1 - 1e-12)
    p[varies] = 2 * special.stdtr(n - 2, -np.abs(rho) * np.sqrt((n - 2) / (1 - rho**2)))
    third = n // 3
    moved = np.median(values[:, -third:], axis=1) - np.median(values[:, :third], axis=1)
    return np.where(samples.holm(p) < ALPHA, moved, np.nan)
