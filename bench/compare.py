# SPDX-License-Identifier: GPL-2.0-only
"""Base against patched: what differs between results, how surely, and what else than the kernel differed."""

import math
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench import findings, results, stats, tables
from bench.errors import BadInput

# What a difference can be in: a column of results.intervals(), and what it is, for titles.
METRICS = {
    "cost": "all phases less the untracked writes",
    "seconds": "all phases",
    "tracker": "the tracker's phases",
    "tracked": "the tracked program's writes less the untracked ones",
    "reset": "phase reset",
    "dirty": "phase dirty",
    "collect": "phase collect",
    "collect_reset": "phase collect_reset",
}
# label, metadata, what separates its parts (of which only those that differ are shown)
SURROUNDINGS = (
    ("kind of machine", "where", None),
    ("architecture", "architecture", None),
    ("CPU", "cpu_model_name", None),
    ("CPUs", "cpu_count", None),
    ("page size", "page_size", None),
    ("kernel config", "kernel_config", " "),
    ("kernel command line", "cmdline", " "),
    ("mitigations", "mitigations", "; "),
    ("THP setting", "thp_enabled", None),
    ("governor", "governor", None),
    ("NUMA balancing", "numa_balancing", None),
    ("KSM", "ksm_run", None),
    ("seed", "seed", None),
    ("suite version", "suite_version", None),
    ("schema", "schema", None),
)
MEMORY = 0.05  # kernels keep different amounts for themselves: less is no other machine


class Result(NamedTuple):
    """One side of a comparison; rows of results.intervals()."""

    name: str
    rows: pd.DataFrame
    host: dict[str, Any]


class Comparison(NamedTuple):
    """frame: a row per case and new result, as plots/forest.py and exports take it; p corrected by Holm over all.

    results: the base first. geomeans: per new result (a row of frame's `new_name`) and form ("" for all of them)
    ratio, low, high. warnings: sentences.
    """

    results: list[Result]
    frame: pd.DataFrame
    geomeans: dict[tuple[str, str], tuple[float, float, float]]
    warnings: list[str]
    metric: str
    alpha: float

    @property
    def tests(self) -> int:
        """Over how many tests p was corrected."""
        return len(self.frame)

    def geomean(self, name: str, form: str) -> tuple[float, float, float]:
        """Ratio, low and high of a new result; NaN where no case has a positive median in both."""
        return self.geomeans.get((name, form), (math.nan, math.nan, math.nan))

    def regressions(self, limit: float) -> pd.DataFrame:
        """Rows of frame that are significant and more than `limit` (a fraction) slower."""
        return self.frame[self.frame["significant"] & (self.frame["ratio"] - 1 > limit)]


def load(folders: list[Path]) -> list[Result]:
    """Read results to compare. Raises BadInput for fewer than two, and where they can't be compared."""
    if len(folders) < 2:
        raise BadInput("a comparison needs two results", "./bench.py list names those there are")
    twice = [folder for i, folder in enumerate(folders) if folder.resolve() in [f.resolve() for f in folders[:i]]]
    if twice:
        raise BadInput(f"{twice[0]} is given twice", "give two different results")
    loaded = [results.load(folder / "suite.json") for folder in folders]
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    suites = [one.host.get("suite") for one in loaded]
    for name, suite in zip(names[1:], suites[1:], strict=True):
        if suite != suites[0]:
            raise BadInput(
                f"{names[0]} is of suite {suites[0]}, {name} of suite {suite}: they measured different things",
                f"measure again: ./bench.py run --suite {suites[0]}",
            )
    counted = [str(one.frame["where"].iloc[0]) == "tcg-icount" for one in loaded]
    if len(set(counted)) > 1:
        raise BadInput(
            f"{names[counted.index(True)]} counts instructions, {names[counted.index(False)]} measures time: their "
            "units differ",
            "measure both with the same --accel",
        )
    return [Result(n, results.intervals(one.frame), one.host) for n, one in zip(names, loaded, strict=True)]


def compare(sides: list[Result], *, metric: str = "cost", pattern: str = "*", alpha: float = stats.ALPHA) -> Comparison:
    """Compare every result with the first, case by case (a point and a form). Raises BadInput if no case is shared."""
    order = list(sides[0].rows["form"].cat.categories)
    whole = {one.name: one.rows for one in sides}
    base, *others = [one._replace(rows=_chosen(one.rows, pattern, metric)) for one in sides]
    parts = [_against(base, other, metric) for other in others]
    frame = pd.concat(parts, ignore_index=True)
    frame["p_holm"] = stats.holm(frame["p"].to_numpy(dtype=np.float64))
    frame["significant"] = (frame["p_holm"] < alpha) & frame["ratio"].notna()
    forms = [form for form in order if form in set(frame["form"])]
    frame["form"] = frame["form"].astype(pd.CategoricalDtype(forms, ordered=True))
    geomeans = {
        (other.name, form): bounds
        for other in others
        for form, bounds in stats.geomeans(base.rows, other.rows, findings.CASE, metric, "form").items()
    }
    warnings = [*_surroundings(base, others), *_shared(base, others), *_boots([base, *others])]
    for one in (base, *others):
        warnings += findings.incomplete(whole[one.name], one.host, one.name)
        warnings += findings.doubtful(one.rows, metric, one.name)
    return Comparison([base, *others], frame, geomeans, warnings, metric, alpha)


def _chosen(rows: pd.DataFrame, pattern: str, metric: str) -> pd.DataFrame:
    """Rows whose case matches the shell pattern and that have the metric."""
    cases = rows[findings.CASE].drop_duplicates()
    cases = cases[[fnmatch(findings.case_name(one), pattern) for one in cases.itertuples(index=False)]]
    if cases.empty:
        some = findings.case_name(next(rows[findings.CASE].itertuples(index=False)))
        raise BadInput(f"--filter {pattern!r} matches no case", f"names look like {some!r}")
    # idle has no writes: its `dirty` is 0, which is no time to compare
    chosen = rows.merge(cases, on=findings.CASE)
    for column in ("workload", "kind", "setting", "form"):  # the categories of two results differ
        chosen[column] = chosen[column].astype(str)
    chosen = chosen[chosen[metric].notna() & ~((chosen["writes"] == 0) & (metric in ("dirty", "tracked")))]
    if chosen.empty:
        raise BadInput(f"no case has {metric}", f"there are {', '.join(METRICS)}")
    return chosen


def _against(base: Result, new: Result, metric: str) -> pd.DataFrame:
    """The comparison of one result with the base: rows of Comparison.frame."""
    found = stats.differences(base.rows, new.rows, findings.CASE, metric).reset_index()
    if found.empty:
        raise BadInput(f"{base.name} and {new.name} have no case in common", "run one suite with the same options")
    facts: dict[str, Any] = {"base_name": base.name, "new_name": new.name, "metric": metric}
    for side, one in (("base", base), ("new", new)):
        facts[f"{side}_where"] = tables.where(one.rows)
    facts |= {key: ", ".join(map(str, base.rows[key].unique())) for key in ("cpu", "file_system")}
    found = found.assign(**facts)
    for side, one in (("base", base), ("new", new)):
        counts = results.exactness(one.rows)
        per = counts.set_index(findings.CASE)[["extra", "missed", "intervals"]].reindex(
            pd.MultiIndex.from_frame(found[findings.CASE])
        )
        found[f"{side}_extra"] = (per["extra"] / per["intervals"]).to_numpy()
        found[f"{side}_missed"] = (per["missed"] / per["intervals"]).to_numpy()
        pairs = zip(found[f"{side}_extra"], found[f"{side}_missed"], strict=True)
        found[f"{side}_wrong"] = [tables.wrong(extra, missed) for extra, missed in pairs]
    return found


def _surroundings(base: Result, others: list[Result]) -> list[str]:
    """Name what else than the kernel differed."""
    lines = []
    for other in others:
        differing = [
            f"{label} ({_parts(base.host.get(key), other.host.get(key), separator)})"
            for label, key, separator in SURROUNDINGS
            if base.host.get(key) != other.host.get(key)
        ]
        sizes = [float(one.host.get("memory_bytes", math.nan)) for one in (base, other)]
        if abs(sizes[0] - sizes[1]) > MEMORY * max(sizes):  # never for one that is not known
            differing.append(f"RAM ({sizes[0] / 2**20:.0f} against {sizes[1] / 2**20:.0f} MiB)")
        samples = [findings.sample(one.rows) for one in (base, other)]
        if samples[0] != samples[1]:
            differing.append(f"runs ({samples[0]} against {samples[1]})")
        if differing:
            lines.append(f"{base.name} and {other.name} differ in more than the kernel: {'; '.join(differing)}.")
    return lines


def _parts(base: Any, new: Any, separator: str | None) -> str:
    """The two values, or only those of their parts that differ."""
    if not separator or base is None or new is None:
        return f"{base if base is not None else 'unknown'} against {new if new is not None else 'unknown'}"
    first, second = (str(value).split(separator) for value in (base, new))
    only = [separator.join(p for p in a if p not in b) or "nothing" for a, b in ((first, second), (second, first))]
    return " against ".join(only)


def _shared(base: Result, others: list[Result]) -> list[str]:
    """Say which cases only one of two results has."""
    lines = []
    cases = [set(map(findings.case_name, one.rows[findings.CASE].drop_duplicates().itertuples(index=False)))
             for one in (base, *others)]  # fmt: skip
    for other, theirs in zip(others, cases[1:], strict=True):
        for has, lacks, only in ((base, other, cases[0] - theirs), (other, base, theirs - cases[0])):
            if only:
                one = sorted(only)[0]
                lines.append(f"{tables.many(len(only), 'case')} of {has.name} not in {lacks.name}, such as: {one}.")
    return lines


def _boots(sides: list[Result]) -> list[str]:
    """Say where boots can't be told from kernels."""
    single = [one.name for one in sides if one.rows["boot"].nunique() == 1]
    if not single:
        return []
    return [
        f"One boot only ({', '.join(single)}): what changes from boot to boot can't be told from what the kernel "
        "changed. In a virtual machine, --boots measures several."
    ]
