# SPDX-License-Identifier: GPL-2.0-only
"""Base against patched: what differs between results, how surely, and what else than the kernel differed."""

import math
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.errors import BadInput
from bench.plan.kinds import USUAL_KIND
from bench.stats import samples
from bench.store import frames
from bench.store.frames import CASE

# What a difference can be in: columns of frames.intervals().
METRICS = ("cost", "interval", "tracker", "tracked", "reset", "dirty", "collect", "collect_reset")
# Facts of a machine that must be alike, and what separates the parts of those that have some: only differing ones show.
SURROUNDINGS = {
    "where": None,
    "architecture": None,
    "cpu_model_name": None,
    "cpu_count": None,
    "page_size": None,
    "kernel_config": " ",
    "cmdline": " ",
    "mitigations": "; ",
    "thp_enabled": None,
    "governor": None,
    "numa_balancing": None,
    "ksm_run": None,
    "seed": None,
    "suite_version": None,
    "schema": None,
}
MEMORY = 0.05  # kernels keep different amounts for themselves: less is no other machine


class Side(NamedTuple):
    """One result of a comparison; rows of frames.intervals(); whole: those that --filter left out included."""

    name: str
    rows: pd.DataFrame
    result: frames.Result
    whole: pd.DataFrame


class Differs(NamedTuple):
    """A fact that is not alike in two results; None where a result lacks it. Of a list, what only one of them has."""

    fact: str
    base: Any
    new: Any


class Comparison(NamedTuple):
    """frame: a row per case and new result; p corrected by Holm over all; columns: see compare().

    sides: the base first. geomeans: per new result (a row of frame's `new_name`) and form ("" for all of them)
    ratio, low, high. differing: per new result, facts other than the kernel's. lacking: cases (tuples of CASE) that the
    first of two results has and the second has not.
    """

    sides: list[Side]
    frame: pd.DataFrame
    geomeans: dict[tuple[str, str], tuple[float, float, float]]
    differing: dict[str, list[Differs]]
    lacking: dict[tuple[str, str], list[Any]]
    metric: str
    alpha: float

    @property
    def tests(self) -> int:
        """Over how many tests p was corrected."""
        return len(self.frame)

    @property
    def counted(self) -> bool:
        """Whether counts were compared, and not times."""
        return samples.counted(self.sides[0].rows)

    @property
    def one_boot(self) -> list[str]:
        """The results that were measured in one boot."""
        return [one.name for one in self.sides if one.rows["boot"].nunique() == 1]

    def unit(self, name: str) -> str:
        """What the sample of a new result and the base consists of: boot, or process where both had one boot."""
        return samples.unit(*(one.rows for one in self.sides if one.name in (self.sides[0].name, name)))

    def needed(self) -> int:
        """How many units each result needs for any claim."""
        return samples.REPEATS if self.counted else samples.needed(self.tests, self.alpha)

    def decidable(self, name: str = "") -> bool:
        """Whether a new result, or any, has so many units that a difference can be claimed."""
        rows = self.frame[self.frame["new_name"] == name] if name else self.frame
        if self.counted:
            return bool(rows["enough"].any())
        return bool(rows["least_p"].min() * self.tests < self.alpha)

    def geomean(self, name: str, form: str) -> tuple[float, float, float]:
        """Ratio, low and high of a new result; NaN where no case has a positive median in both."""
        return self.geomeans.get((name, form), (math.nan, math.nan, math.nan))

    def regressions(self, limit: float) -> pd.DataFrame:
        """Rows of frame that are significant and more than `limit` (a fraction) above the base, the worst last."""
        worse = self.frame[self.frame["significant"] & (self.frame["ratio"] - 1 > limit)]
        return worse.sort_values("ratio", kind="stable")


def load(folders: list[Path]) -> list[Side]:
    """Read results to compare. Raises BadInput for fewer than two, and where they can't be compared."""
    if len(folders) < 2:
        raise BadInput("a comparison needs two results", "./bench.py list names those there are")
    twice = [folder for i, folder in enumerate(folders) if folder.resolve() in [f.resolve() for f in folders[:i]]]
    if twice:
        raise BadInput(f"{twice[0]} is given twice", "give two different results")
    loaded = [frames.load(folder) for folder in folders]
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    for name, one in zip(names[1:], loaded[1:], strict=True):
        suites = [loaded[0].host.get("suite"), one.host.get("suite")]
        if suites[0] != suites[1]:
            raise BadInput(
                f"{names[0]} is of suite {suites[0]}, {name} of suite {suites[1]}: they measured different things",
                f"measure again: ./bench.py run --suite {suites[0]}",
            )
        quantities = [str(some.frame["quantity"].iloc[0]) for some in (loaded[0], one)]
        if quantities[0] != quantities[1]:
            raise BadInput(
                f"{names[0]} measures {quantities[0]}, {name} measures {quantities[1]}: there is no ratio of them",
                "measure both with the same --accel",
            )
    sides = []
    for name, one in zip(names, loaded, strict=True):
        rows = frames.intervals(one.frame)
        sides.append(Side(name, rows, one, rows))
    return sides


def compare(
    sides: list[Side],
    *,
    metric: str = "cost",
    pattern: str = "*",
    alpha: float = samples.ALPHA,
) -> Comparison:
    """Compare every result with the first, case by case (a point and a form). Raises BadInput if no case is shared.

    pattern: of case_name(). Columns of the frame: CASE, `base_name`, `new_name`, `metric`,
    `quantity`, `unit`, `cpu`, `file_system`, those of samples.differences(), `base_extra`, `base_missed`, `new_extra`,
    `new_missed` (pages per interval), `p_holm`, and `significant`: the difference is claimed.
    """
    order = list(sides[0].rows["form"].cat.categories)
    base, *others = [one._replace(rows=_chosen(one.rows, pattern, metric)) for one in sides]
    frame = pd.concat([_against(base, other, metric) for other in others], ignore_index=True)
    frame["p_holm"] = samples.holm(frame["p"].to_numpy(dtype=np.float64))
    frame["significant"] = frame["ratio"].notna() & (frame["apart"] | (frame["p_holm"] < alpha))
    forms = [form for form in order if form in set(frame["form"])]
    frame["form"] = frame["form"].astype(pd.CategoricalDtype(forms, ordered=True))
    geomeans = {
        (other.name, form): bounds
        for other in others
        for form, bounds in samples.geomeans(base.rows, other.rows, CASE, metric, "form").items()
    }
    differing = {other.name: _differing(base, other) for other in others}
    return Comparison([base, *others], frame, geomeans, differing, _lacking(base, others), metric, alpha)


def case_name(one: Any) -> str:
    """Name one tuple of CASE as points are named, and the form: random pages=1000 dirty=10% scan-wp atomic."""
    kind = "" if one.kind == USUAL_KIND else f"kind={one.kind}"
    what = f"{one.workload} pages={one.pages} dirty={one.dirty_percent:g}%"
    return " ".join(filter(None, [what, kind, one.setting, one.form]))


def _chosen(rows: pd.DataFrame, pattern: str, metric: str) -> pd.DataFrame:
    """Rows whose case matches the shell pattern and that have the metric."""
    cases = rows[CASE].drop_duplicates()
    matching = cases[[fnmatch(case_name(one), pattern) for one in cases.itertuples(index=False)]]
    if matching.empty:
        some = case_name(next(cases.itertuples(index=False)))
        raise BadInput(f"--filter {pattern!r} matches no case", f"names look like {some!r}")
    # idle has no writes: its `dirty` is 0, which is nothing to compare
    chosen = rows.merge(matching, on=CASE)
    for column in ("workload", "kind", "setting", "form"):  # the categories of two results differ
        chosen[column] = chosen[column].astype(str)
    chosen = chosen[chosen[metric].notna() & ~((chosen["writes"] == 0) & (metric in ("dirty", "tracked")))]
    if chosen.empty:
        raise BadInput(f"no case has {metric}", f"there are {', '.join(METRICS)}")
    return chosen


def _against(base: Side, new: Side, metric: str) -> pd.DataFrame:
    """The comparison of one result with the base: rows of Comparison.frame."""
    found = samples.differences(base.rows, new.rows, CASE, metric).reset_index()
    if found.empty:
        raise BadInput(f"{base.name} and {new.name} have no case in common", "run one suite with the same options")
    facts: dict[str, Any] = {"base_name": base.name, "new_name": new.name, "metric": metric}
    facts |= {key: str(base.rows[key].iloc[0]) for key in ("quantity", "unit")}
    facts |= {key: ", ".join(map(str, base.rows[key].unique())) for key in ("cpu", "file_system")}
    found = found.assign(**facts)
    for side, one in (("base", base), ("new", new)):
        counts = frames.exactness(one.rows).set_index(CASE)
        per = counts[["extra", "missed", "intervals"]].reindex(pd.MultiIndex.from_frame(found[CASE]))
        for what in ("extra", "missed"):
            found[f"{side}_{what}"] = (per[what] / per["intervals"]).to_numpy()
    return found


def _differing(base: Side, new: Side) -> list[Differs]:
    """What else than the kernel differed."""
    first, second = base.result.host, new.result.host
    found = [
        Differs(key, *_parts(first.get(key), second.get(key), separator))
        for key, separator in SURROUNDINGS.items()
        if first.get(key) != second.get(key)
    ]
    sizes = [float(host.get("memory_bytes", math.nan)) for host in (first, second)]
    if abs(sizes[0] - sizes[1]) > MEMORY * max(sizes):  # never for one that is not known
        found.append(Differs("memory_bytes", *sizes))
    return found


def _parts(base: Any, new: Any, separator: str | None) -> tuple[Any, Any]:
    """The two values, or only those of their parts that differ."""
    if not separator or base is None or new is None:
        return base, new
    first, second = (str(value).split(separator) for value in (base, new))
    return separator.join(p for p in first if p not in second), separator.join(p for p in second if p not in first)


def _lacking(base: Side, others: list[Side]) -> dict[tuple[str, str], list[Any]]:
    cases = {
        one.name: dict.fromkeys(one.rows[CASE].drop_duplicates().itertuples(index=False, name="Case"))
        for one in (base, *others)
    }
    found = {}
    for other in others:
        for has, lacks in ((base.name, other.name), (other.name, base.name)):
            if only := [case for case in cases[has] if case not in cases[lacks]]:
                found[has, lacks] = only
    return found
