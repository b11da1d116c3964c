# SPDX-License-Identifier: GPL-2.0-only
"""Medians, ratios and tests, each with its uncertainty.

The levels of the data: a boot has processes, a process has values. Values of a process are not independent of each
other, and neither are processes of a boot (the kernel's and the page tables' place in memory are dealt once). So a
value counts for its process and, where there was more than one boot, a process for its boot: the sample is the
medians of the boots, or of the processes where only one boot was measured. Everything here is about that sample.

Times are a sample of what could have been measured: their medians have confidence intervals, their differences a rank
test. Counted instructions nearly repeat, and what is left comes in steps (a table more here, a tick more there), so no
distribution of them is assumed: what boots differ by is their range, and a change is one that lies outside of it.
Exact counts are those without interrupts and other tasks: there are no ticks in them, and fewer boots tell more.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.plan.records import INSTRUCTIONS

Floats = NDArray[np.float64]

# The range of n values misses the true median with probability 2 * 0.5**n: with five processes no interval of
# theirs can hold 95 %.
ENOUGH = 6
RESAMPLES = 1000
ALPHA = 0.05
EXACT = 50  # units on a side up to which the exact distribution of U is computed
REPEATS = 5  # counted units on a side from which a change is claimed: with three, 3 % of equal kernels seem to differ
LEAST_CHANGE = 0.002  # of counted medians: without it 2 % of equal kernels seem to differ, by up to so much
EXACT_REPEATS = 3  # the same of exact counts
EXACT_CHANGE = 3e-4  # the same of exact medians of REPEATS boots and more: one instruction of a write fault is 6e-4
EXACT_LEAST = 10  # instructions: a step more or less in a tree of VMAs
EXACT_FEW_CHANGE = 5e-4  # of fewer boots: now and then one of them, of long phases, is 4e-4 off
MEAN_RESAMPLES = 400  # of a geometric mean, which smooths what a median does not
_SEED = 20221109  # fixed: the same data gives the same report
_CHUNK = 128  # rows resampled at once, to bound memory


def counted(rows: pd.DataFrame) -> bool:
    """Whether rows hold counts, which nearly repeat, and not times."""
    return not rows.empty and str(rows["quantity"].iloc[0]) == INSTRUCTIONS


def exact(*results: pd.DataFrame) -> bool:
    """Whether all results hold exact counts: of the work itself, without interrupts and other tasks."""
    return all(counted(rows) and "exact" in rows and bool(rows["exact"].all()) for rows in results)


def repeats(*results: pd.DataFrame) -> int:
    """How many units of counts each result needs for a claim."""
    return EXACT_REPEATS if exact(*results) else REPEATS


def least_change(*results: pd.DataFrame) -> float:
    """By how much of a median counts must differ at least for a claim."""
    if not exact(*results):
        return LEAST_CHANGE
    fewest = min(rows[unit(*results)].nunique() for rows in results)
    return EXACT_CHANGE if fewest >= REPEATS else EXACT_FEW_CHANGE


def unit(*results: pd.DataFrame) -> str:
    """What the sample consists of: `boot` where any of the results has several, else `process`.

    Processes of one boot are no match for boots: they lack what changes from boot to boot.
    """
    return "boot" if any(rows["boot"].nunique() > 1 for rows in results) else "process"


def units(rows: pd.DataFrame, by: list[str], column: str, of: str | None = None) -> pd.DataFrame:
    """Medians of column per group and unit: float64[n_groups, n_units], NaN where a unit did not measure a group.

    `of` is boot or process; unit(rows) by default.
    """
    known = rows.dropna(subset=[column])
    medians = known.groupby([*by, "boot", "process"], observed=True)[column].median()
    if (of or unit(rows)) == "boot":
        return medians.groupby([*by, "boot"], observed=True).median().unstack("boot")
    return medians.droplevel("boot").unstack("process")


def medians(rows: pd.DataFrame, by: list[str], column: str) -> pd.DataFrame:
    """Median of the units' medians of column, per group.

    Returns float64 columns `median`, `low`, `high` in column's unit, `units` (int), `unit` (str), `enough` and
    `counted` (bool), indexed by `by`. low and high are the 95 % confidence interval; the range of the units where they
    are `counted`, or not `enough`; NaN for one.
    """
    matrix = units(rows, by, column)
    return _summary(matrix, counts=counted(rows)).assign(unit=unit(rows), counted=counted(rows))


def ratios(rows: pd.DataFrame, by: list[str], column: str, base: str, new: str) -> pd.DataFrame:
    """How many times less `new` takes than `base` (two values of `form`): base / new, paired round by round.

    Rounds are paired within a process, which cancels what disturbs both. Returns what medians() does, without unit;
    infinite where new costs nothing measurable. Groups that lack one of the two are left out.
    """
    keys = [*by, "boot", "process", "round"]
    old = rows[rows["form"] == base].set_index(keys)[column]
    other = rows[rows["form"] == new].set_index(keys)[column]
    pair = pd.concat({"base": old, "new": other}, axis=1, join="inner")
    # A cost is a difference and noise can make it negative. Below zero is further than "nothing", so it counts as
    # infinitely less, not as a negative ratio, which a median would sort to the wrong end.
    pair["ratio"] = (pair["base"] / pair["new"]).where(pair["new"] > 0, np.inf)
    usable = pair[(pair["base"] > 0) | (pair["new"] > 0)]
    return medians(usable.reset_index().assign(quantity=rows["quantity"].iloc[0]), by, "ratio")


def half_width(row: Mapping[str, Any] | pd.Series) -> float:
    """Half width of low to high as a fraction of the median (the wider side)."""
    low, high, median = float(row["low"]), float(row["high"]), float(row["median"])
    if not math.isfinite(median) or median == 0:
        return math.nan
    return max(high - median, median - low) / abs(median)


def differences(base: pd.DataFrame, new: pd.DataFrame, by: list[str], column: str) -> pd.DataFrame:
    """Compare column of two results, group by group; groups that only one of them has are left out.

    Returns, indexed by `by`: what medians() does for each, as `base`, `base_low` ... and `new`, `new_low` ...;
    `ratio` (new / base; NaN where a median is not positive) with its 95 % CI `low` and `high` (of counts, or where one
    side has not enough units, the range; NaN where that is not known either); `enough`, whether both sides have the
    units that a claim needs. Of times, `p` of a two-sided Mann-Whitney test on the units, not corrected, and `least_p`,
    the smallest p that so many units can give; of counts, `apart`, whether the change is claimed. A unit is a boot if
    either result has several.
    """
    counts = counted(base)
    first, second = (units(rows, by, column, unit(base, new)) for rows in (base, new))
    shared = first.index.intersection(second.index)
    old, other = (matrix.loc[shared].to_numpy(dtype=np.float64) for matrix in (first, second))
    found = pd.DataFrame(index=shared)
    for name, matrix in (("base", first), ("new", second)):
        summary = _summary(matrix.loc[shared], counts=counts)
        found[[name, *(f"{name}_{what}" for what in ("low", "high", "units"))]] = summary[
            ["median", "low", "high", "units"]
        ]
    usable = (found["base"] > 0) & (found["new"] > 0)
    found["ratio"] = (found["new"] / found["base"]).where(usable)
    bounds = _ratio_bounds(old, other, found, counts=counts)
    found["low"], found["high"] = (pd.Series(b, index=shared).where(usable) for b in bounds)
    found["enough"] = (found[["base_units", "new_units"]] >= (repeats(base, new) if counts else ENOUGH)).all(axis=1)
    if counts:
        apart = _apart(found, old, other, least_change(base, new))
        if exact(base, new):
            apart &= (found["new"] - found["base"]).abs() >= EXACT_LEAST
        return found.assign(p=np.nan, least_p=np.nan, apart=apart)
    found["p"] = mann_whitney(old, other)
    found["least_p"] = [least_p(int(n), int(m)) for n, m in zip(found["base_units"], found["new_units"], strict=True)]
    return found.assign(apart=False)


def _apart(found: pd.DataFrame, base: Floats, new: Floats, least: float) -> "pd.Series[bool]":
    """Which counted groups of differences() differ by more than their boots do.

    The ranges must not overlap, and the medians must be further apart than both ranges together. That alone would now
    and then take for a change what comes in two steps, if all boots of one result got the one and all of the other the
    other: with ranges next to nothing, any distance would do. So the change must also be more than what boots differ by
    in the middle one of all groups, and more than `least`. tests/stats/test_counted.py: how often it is wrong.
    """
    (low, high), (new_low, new_high) = _core(base), _core(new)
    middle, distance = found[["base", "new"]].abs().min(axis=1), (found["new"] - found["base"]).abs()
    clear = (new_low > high) | (new_high < low)
    ranges = high - low, new_high - new_low
    usual = (np.maximum(*ranges) / middle).median()
    wide: pd.Series[bool] = (distance > sum(ranges)) & (distance > max(least, usual) * middle)
    return wide & clear & found["enough"]


def _core(values: Floats) -> tuple[Floats, Floats]:
    """Ends of the range of each row; of ten or more units without a tenth on each side: one that was disturbed."""
    ordered, sizes = np.sort(values, axis=1), (~np.isnan(values)).sum(axis=1)  # NaN last
    ends = np.stack([sizes // 10, sizes - 1 - sizes // 10], axis=1)
    low, high = np.take_along_axis(ordered, ends, axis=1).T
    return low, high


def mann_whitney(base: Floats, new: Floats) -> Floats:
    """Two-sided p of each row of float64[n_groups, n_base] against float64[n_groups, n_new]; NaN is no value.

    Exact where no two values are equal. With ties the normal approximation, which can promise more than a
    permutation test of so few values could: p is never less than that one's least.
    """
    from scipy.stats import mannwhitneyu  # noqa: PLC0415  (a second, and a report needs none of it)

    p = np.ones(len(base))
    counts = np.stack([(~np.isnan(side)).sum(axis=1) for side in (base, new)], axis=1)
    for n, m in np.unique(counts, axis=0):
        rows = np.flatnonzero((counts == (n, m)).all(axis=1))
        if not n or not m:
            continue
        x, y = (side[rows][~np.isnan(side[rows])].reshape(len(rows), k) for side, k in ((base, n), (new, m)))
        both = np.sort(np.concatenate([x, y], axis=1), axis=1)
        ties = (np.diff(both, axis=1) == 0).any(axis=1)
        exact = ~ties & (max(n, m) <= EXACT)
        if exact.any():
            p[rows[exact]] = mannwhitneyu(x[exact], y[exact], axis=1, method="exact").pvalue
        if not exact.all():
            with np.errstate(invalid="ignore", divide="ignore"):
                found = mannwhitneyu(x[~exact], y[~exact], axis=1, method="asymptotic").pvalue
            p[rows[~exact]] = np.maximum(found, least_p(int(n), int(m)))
        p[rows[both[:, 0] == both[:, -1]]] = 1
    return p


def holm(p: Floats) -> Floats:
    """Correct the p values of many tests: each result is the least level at which Holm's procedure rejects it.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979).
    """
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return corrected


def least_p(n: int, m: int) -> float:
    """The smallest two-sided p that a rank test of n against m values can give."""
    return min(1.0, 2 / math.comb(n + m, n))


def needed(tests: int, alpha: float) -> int:
    """How many units on each side the first of so many tests needs to be significant at all."""
    return next(n for n in range(1, 1000) if least_p(n, n) * tests < alpha)


def geomeans(
    base: pd.DataFrame, new: pd.DataFrame, by: list[str], column: str, apart: str
) -> dict[str, tuple[float, float, float]]:
    """Geometric means of the groups' ratios new / base with their 95 % CI, NaN where it is not known.

    One for each value of `apart` (one of `by`), and "" for all groups. Units are resampled for all groups together:
    what disturbed one boot or one pass of processes may have disturbed all of it. Groups that only one result has, and
    those with a median that is not positive, are left out.
    """
    matrices = [units(rows, by, column, unit(base, new)) for rows in (base, new)]
    index = matrices[0].index.intersection(matrices[1].index)
    arrays = [matrix.loc[index].to_numpy(dtype=np.float64) for matrix in matrices]
    middles = [np.nanmedian(values, axis=1) if values.size else np.empty(0) for values in arrays]
    usable = (middles[0] > 0) & (middles[1] > 0)
    logs = np.log(middles[1][usable] / middles[0][usable])
    names = index.get_level_values(apart)[usable].astype(str)
    enough = min(values.shape[1] for values in arrays) >= ENOUGH and not counted(base)
    found, sums = {}, {}
    for name in dict.fromkeys(names):
        own = names == name
        if enough:
            sides = [_resampled_log_sum(values[usable][own], _SEED + i) for i, values in enumerate(arrays)]
            sums[name] = sides[1] - sides[0]
        found[name] = (float(logs[own].mean()), sums.get(name, np.full(1, np.nan)) / own.sum())
    if found:
        every = sum(sums.values()) if enough else np.full(1, np.nan)
        found[""] = (float(logs.mean()), every / len(logs))
    exp = {name: (math.exp(mean), *np.exp(np.quantile(draws, [0.025, 0.975]))) for name, (mean, draws) in found.items()}
    return {name: (mean, float(low), float(high)) for name, (mean, low, high) in exp.items()}


def _summary(matrix: pd.DataFrame, *, counts: bool) -> pd.DataFrame:
    """Summarise float64[n_groups, n_units], NaN where a unit did not measure a group."""
    values = matrix.to_numpy(dtype=np.float64)
    values = values if values.size else np.empty((0, 1))  # numpy refuses the minimum of nothing
    sizes = (~np.isnan(values)).sum(axis=1)
    low, high = (np.where(sizes > 1, edge(values, axis=1), np.nan) for edge in (np.nanmin, np.nanmax))
    for n in () if counts else np.unique(sizes[sizes >= ENOUGH]):
        rows = np.flatnonzero(sizes == n)
        chosen = values[rows]
        resampled = _resampled_medians(chosen[~np.isnan(chosen)].reshape(len(rows), n), _SEED)
        # "lower"/"higher" take values that occurred: interpolating towards an infinite ratio gives NaN
        low[rows] = np.quantile(resampled, 0.025, axis=1, method="lower")
        high[rows] = np.quantile(resampled, 0.975, axis=1, method="higher")
    columns = {"median": np.nanmedian(values, axis=1), "low": low, "high": high}
    enough = sizes >= (2 if counts else ENOUGH)
    return pd.DataFrame({**columns, "units": sizes, "enough": enough}, index=matrix.index)


def _resampled_medians(values: Floats, seed: int) -> Floats:
    """Medians of RESAMPLES samples drawn with replacement from each row: float64[n_groups, RESAMPLES].

    A sample's median depends only on which ranks were drawn, and all rows are drawn alike: sorting each row once
    takes the place of sorting every sample.
    """
    n = values.shape[1]
    ranks = np.sort(np.random.default_rng(seed).integers(n, size=(RESAMPLES, n)), axis=1)
    ordered = np.sort(values, axis=1)
    return (ordered[:, ranks[:, (n - 1) // 2]] + ordered[:, ranks[:, n // 2]]) / 2


def _ratio_bounds(base: Floats, new: Floats, found: pd.DataFrame, *, counts: bool) -> tuple[Floats, Floats]:
    """95 % CI of new / base by resampling both sides; the quotients of their ranges where that is all there is."""
    low = (found["new_low"] / found["base_high"]).to_numpy(copy=True)
    high = (found["new_high"] / found["base_low"]).to_numpy(copy=True)
    sizes = found[["base_units", "new_units"]].to_numpy()
    for n, m in () if counts else np.unique(sizes[(sizes >= ENOUGH).all(axis=1)], axis=0):
        every = np.flatnonzero((sizes == (n, m)).all(axis=1))
        for rows in np.array_split(every, max(1, len(every) // _CHUNK)):
            x, y = (side[rows][~np.isnan(side[rows])].reshape(len(rows), k) for side, k in ((base, n), (new, m)))
            with np.errstate(divide="ignore", invalid="ignore"):
                resampled = _resampled_medians(y, _SEED + 1) / _resampled_medians(x, _SEED)
            low[rows] = np.quantile(resampled, 0.025, axis=1, method="lower")
            high[rows] = np.quantile(resampled, 0.975, axis=1, method="higher")
    return low, high


def _resampled_log_sum(values: Floats, seed: int) -> Floats:
    """Sum over groups of the logarithm of resampled medians, the same units in each group: float64[MEAN_RESAMPLES].

    A sample is how often each unit was drawn: counted along the sorted row, that leads to its median. Values that a
    unit lacks (NaN) are never drawn; a sample without any value counts as the row's own median.
    """
    n = values.shape[1]
    picks = np.random.default_rng(seed).integers(n, size=(MEAN_RESAMPLES, n))
    dtype = np.int8 if n < 128 else np.int32
    drawn = (picks[:, :, None] == np.arange(n)).sum(axis=1, dtype=dtype)  # [MEAN_RESAMPLES, n]
    total = np.zeros(MEAN_RESAMPLES)
    for start in range(0, len(values), _CHUNK):
        order = np.argsort(values[start : start + _CHUNK], axis=1)  # NaN last
        ordered = np.take_along_axis(values[start : start + _CHUNK], order, axis=1)
        last = (~np.isnan(ordered)).sum(axis=1) - 1
        up_to: NDArray[Any] = np.cumsum(drawn[:, order], axis=2, dtype=dtype)  # [MEAN_RESAMPLES, n_groups, n]
        size: NDArray[Any] = np.take_along_axis(up_to, last[None, :, None], axis=2)
        ends = [(up_to <= half).sum(axis=2, dtype=dtype) for half in ((size - 1) // 2, size // 2)]
        low, high = (np.take_along_axis(ordered, np.minimum(end, last).T, axis=1) for end in ends)
        middle = np.where(size[:, :, 0].T > 0, (low + high) / 2, np.nanmedian(ordered, axis=1)[:, None])
        # a negative cost, which noise can make, has no logarithm: the least positive value of the row stands for it
        least = np.nanmin(np.where(ordered > 0, ordered, np.nan), axis=1)[:, None]
        total += np.log(np.maximum(middle, least)).sum(axis=0)
    return total
