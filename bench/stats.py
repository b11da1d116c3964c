# SPDX-License-Identifier: GPL-2.0-only
"""Medians and ratios with their uncertainty; processes are the sample, their values are not independent."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# The range of n values misses the true median with probability 2 * 0.5**n: with five processes no interval of
# theirs can hold 95 %.
ENOUGH = 6
RESAMPLES = 2000
_SEED = 20221109  # fixed: the same data gives the same report
_CHUNK = 256  # rows resampled at once, to bound memory


def medians(rows: pd.DataFrame, by: list[str], column: str) -> pd.DataFrame:
    """Median of the processes' medians of column, per group.

    Returns float64 columns `median`, `low`, `high` in column's unit, `processes` (int) and `enough` (bool), indexed by
    `by`. low and high are the 95 % confidence interval; where not `enough` the range of the processes; NaN for one.
    """
    one = rows.dropna(subset=[column]).groupby([*by, "process"], observed=True)[column].median()
    return _summary(one.unstack("process"))


def ratios(rows: pd.DataFrame, by: list[str], column: str, base: str, new: str) -> pd.DataFrame:
    """How many times less `new` takes than `base` (two values of `form`): base / new, paired round by round.

    Rounds are paired within a process, which cancels what disturbs both. Returns what medians() does, without unit;
    infinite where new costs nothing measurable. Groups that lack one of the two are left out.
    """
    keys = [*by, "process", "value"]
    old = rows[rows["form"] == base].set_index(keys)[column]
    other = rows[rows["form"] == new].set_index(keys)[column]
    pair = pd.concat({"base": old, "new": other}, axis=1, join="inner")
    # A cost is a difference and noise can make it negative. Below zero is further than "nothing", so it counts as
    # infinitely less, not as a negative ratio, which a median would sort to the wrong end.
    pair["ratio"] = (pair["base"] / pair["new"]).where(pair["new"] > 0, np.inf)
    usable = pair[(pair["base"] > 0) | (pair["new"] > 0)]
    return medians(usable.reset_index(), by, "ratio")


def half_width(row: pd.Series) -> float:
    """Half width of low to high as a fraction of the median (the wider side)."""
    low, high, median = float(row["low"]), float(row["high"]), float(row["median"])
    if not np.isfinite(median) or median == 0:
        return float("nan")
    return max(high - median, median - low) / abs(median)


def _summary(matrix: pd.DataFrame) -> pd.DataFrame:
    """Summarise float64[n_groups, n_processes], NaN where a process did not measure a group."""
    values = matrix.to_numpy(dtype=np.float64)
    values = values if values.size else np.empty((0, 1))  # numpy refuses the minimum of nothing
    counts = (~np.isnan(values)).sum(axis=1)
    low, high = (np.where(counts > 1, edge(values, axis=1), np.nan) for edge in (np.nanmin, np.nanmax))
    for n in np.unique(counts[counts >= ENOUGH]):
        rows = np.flatnonzero(counts == n)
        chosen = values[rows]
        low[rows], high[rows] = _bootstrap(chosen[~np.isnan(chosen)].reshape(len(rows), n))
    columns = {"median": np.nanmedian(values, axis=1), "low": low, "high": high}
    return pd.DataFrame({**columns, "processes": counts, "enough": counts >= ENOUGH}, index=matrix.index)


def _bootstrap(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % percentile intervals of the medians of float64[n_groups, n_processes], by resampling processes."""
    n = values.shape[1]
    picks = np.random.default_rng(_SEED).integers(n, size=(RESAMPLES, n))
    bounds = [
        # "lower"/"higher" take values that occurred: interpolating towards an infinite ratio gives NaN
        (
            np.quantile(resampled, 0.025, axis=1, method="lower"),
            np.quantile(resampled, 0.975, axis=1, method="higher"),
        )
        for start in range(0, len(values), _CHUNK)
        for resampled in [np.median(values[start : start + _CHUNK, picks], axis=2)]
    ]
    return np.concatenate([low for low, _ in bounds]), np.concatenate([high for _, high in bounds])
