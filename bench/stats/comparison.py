# SPDX-License-Identifier: GPL-2.0-only
"""Base against patched: what differs between results, how surely, and what else than the kernel differed."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.errors import BadInput, NoVerdict
from bench.harmless import quoted
from bench.plan import kconfig
from bench.plan.interfaces import INTERFACES
from bench.plan.kinds import USUAL_KIND
from bench.plan.points import matches
from bench.plan.records import PHASES, WAITS
from bench.stats import machines, samples
from bench.stats.drift import Drift, drift
from bench.store import frames, log
from bench.store.frames import CASE

# What a difference can be in: columns of frames.intervals().
METRICS = ("cost", "interval", "tracker", "tracked", *PHASES, "life", *WAITS)
# How many times less or more what bystanders note must be for a claim where instructions are counted: which operations
# meet a phase is chance, and boots that repeat to the instruction repeat that too.
WAITS_TIMES = 3
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
WALKING = ("legacy", "hybrid")  # roles of interfaces whose reset walks the whole process
OF_WORKER = 1000  # instructions of that: a VMA of the worker, or 60 of its pages, more or less
WORKER = 0.01  # of the worker's pages and VMAs: what clear_refs does not notice in the cost of a mapping
MEMORY = 0.05  # kernels keep different amounts for themselves: less is no other machine


class Side(NamedTuple):
    """One result of a comparison; rows of frames.intervals(): those that have the metric.

    whole: also those that --filter left out; matching: also those that have other metrics only.
    """

    name: str
    rows: pd.DataFrame
    result: frames.Result
    whole: pd.DataFrame
    matching: pd.DataFrame


class Differs(NamedTuple):
    """A fact that is not alike in two results; None where a result lacks it. Of a list, what only one of them has."""

    fact: str
    base: Any
    new: Any

    @property
    def told(self) -> bool:
        """Whether both are known: a fact that one of them lacks may be alike all the same."""
        return self.base is not None and self.new is not None


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
    by_machine: dict[str, dict[str, float]]  # of merged results: per new result the geometric mean on each machine
    drift: Drift | None = None  # of the base's boots, where the results were measured in turn

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
        return (
            samples.repeats(*(one.rows for one in self.sides))
            if self.counted
            else samples.needed(self.tests, self.alpha)
        )

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
    names = [log.name_of(folder) for folder in folders]
    if len(set(names)) < len(names):
        names = [quoted(str(folder)) for folder in folders]
    for name, one in zip(names[1:], loaded[1:], strict=True):
        suites = [loaded[0].host.get("suite"), one.host.get("suite")]
        if suites[0] != suites[1]:
            raise BadInput(
                f"{names[0]} is of suite {suites[0]}, {name} of suite {suites[1]}: they measured different things",
                f"measure {name} again as {names[0]} was: {loaded[0].host.get('command', 'with the same options')}",
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
        sides.append(Side(name, rows, one, rows, rows))
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
    base, *others = [_chosen(one, pattern, metric, base=one is sides[0]) for one in sides]
    frame = pd.concat([_against(base, other, metric) for other in others], ignore_index=True)
    if samples.exact(*(one.rows for one in (base, *others))):
        frame["apart"] &= ~of_the_worker(frame, metric)
    if metric in WAITS and samples.counted(base.rows):
        frame["apart"] &= np.abs(np.log(frame["ratio"].where(frame["ratio"] > 0))) > math.log(WAITS_TIMES)
    frame["p_holm"] = samples.holm(frame["p"].to_numpy(dtype=np.float64))
    frame["significant"] = frame["ratio"].notna() & (frame["apart"] | (frame["p_holm"] < alpha))
    forms = [form for form in order if form in set(frame["form"])]
    frame["form"] = frame["form"].astype(pd.CategoricalDtype(forms, ordered=True))
    drifted = drift(base.rows, metric)
    if drifted and not samples.counted(base.rows):  # counts have a rule of their own, which knows what boots differ by
        frame["significant"] &= np.abs(np.log(frame["ratio"].where(frame["ratio"] > 0))) > drifted.limit
    ratios = {one.name: machines.by_machine(base.rows, one.rows, metric) for one in others}
    for name, rows in frame.groupby("new_name", sort=False):
        frame.loc[rows.index, "significant"] &= machines.agreeing(ratios[str(name)], rows)
    geomeans = {
        (other.name, form): bounds
        for other in others
        for form, bounds in samples.geomeans(
            *machines.levelled(base.rows, other.rows, metric), CASE, metric, "form"
        ).items()
    }
    differing = {other.name: surroundings(base.result.host, other.result.host) for other in others}
    by_machine = {name: machines.geomeans(some) for name, some in ratios.items()}
    lacking = _lacking(base, others)
    return Comparison([base, *others], frame, geomeans, differing, lacking, metric, alpha, by_machine, drifted)


def of_the_worker(frame: pd.DataFrame, metric: str) -> "pd.Series[bool]":
    """Whether an exact change is so small that it may be the worker's, where the reset walks the whole process."""
    walks = [name for name, row in INTERFACES.items() if row.role in WALKING]
    mine = frame["form"].isin(walks) & (metric in ("cost", "interval", "tracker", "reset"))
    return mine & ((frame["new"] - frame["base"]).abs() < OF_WORKER)


def case_name(one: Any) -> str:
    """Name one tuple of CASE as points are named, and the form: random pages=1000 dirty=10% scan-wp atomic."""
    kind = "" if one.kind == USUAL_KIND else f"kind={one.kind}"
    what = f"{one.workload} pages={one.pages} dirty={one.dirty_percent:g}%"
    return " ".join(filter(None, [what, kind, one.setting, one.form]))


def _chosen(one: Side, pattern: str, metric: str, *, base: bool) -> Side:
    """The side with those rows whose case matches the shell pattern, and that have the metric."""
    known = one.whole[CASE].drop_duplicates()
    wanted = known[[matches(case_name(case), pattern) for case in known.itertuples(index=False)]]
    if wanted.empty:
        some = case_name(next(known.itertuples(index=False)))
        raise (BadInput if base else NoVerdict)(
            f"--filter {pattern!r} matches no case of {one.name}", f"names look like {some!r}"
        )
    matching = one.whole.merge(wanted, on=CASE)
    for column in ("workload", "kind", "setting", "form"):  # the categories of two results differ
        matching[column] = matching[column].astype(str)
    # idle has no writes: its `dirty` is 0, which is nothing to compare
    chosen = matching[matching[metric].notna() & ~((matching["writes"] == 0) & (metric in ("dirty", "tracked")))]
    if chosen.empty:
        raise BadInput(f"no case has {metric}", f"there are {', '.join(METRICS)}")
    return one._replace(rows=chosen, matching=matching)


def cases(rows: pd.DataFrame) -> list[Any]:
    """The cases of rows, as tuples of CASE."""
    return list(rows[CASE].drop_duplicates().itertuples(index=False, name="Case"))


def newly_wrong(base: Side, new: Side) -> pd.DataFrame:
    """Rows of frames.exactness(): cases with wrong intervals in the new result that have none in the base."""
    before, after = (frames.exactness(one.matching) for one in (base, new))
    known = set(before.loc[before["wrong_intervals"] > 0, CASE].itertuples(index=False, name=None))
    bad = after[after["wrong_intervals"] > 0]
    return bad[[case not in known for case in bad[CASE].itertuples(index=False, name=None)]]


def _against(base: Side, new: Side, metric: str) -> pd.DataFrame:
    """The comparison of one result with the base: rows of Comparison.frame."""
    found = samples.differences(*machines.levelled(base.rows, new.rows, metric), CASE, metric).reset_index()
    if found.empty:
        raise NoVerdict(f"{base.name} and {new.name} have no case in common", "run one suite with the same options")
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


def surroundings(base: Mapping[str, Any], new: Mapping[str, Any]) -> list[Differs]:
    """What else than the kernel differs between two machines."""
    first, second = ({key: value for key, value in host.items() if value != kconfig.UNKNOWN} for host in (base, new))
    found = [
        Differs(key, *_parts(first.get(key), second.get(key), separator))
        for key, separator in SURROUNDINGS.items()
        if first.get(key) != second.get(key)
    ]
    sizes = [float(host.get("memory_bytes", math.nan)) for host in (first, second)]
    if abs(sizes[0] - sizes[1]) > MEMORY * max(sizes):  # never for one that is not known
        found.append(Differs("memory_bytes", *sizes))
    for key in frames.WORKER:  # clear_refs walks it
        sizes = [float(host.get(key, math.nan)) for host in (first, second)]
        if abs(sizes[0] - sizes[1]) > WORKER * max(sizes):
            found.append(Differs(key, *sizes))
    return found


def _parts(base: Any, new: Any, separator: str | None) -> tuple[Any, Any]:
    """The two values, or only those of their parts that differ."""
    if not separator or base is None or new is None:
        return base, new
    first, second = (str(value).split(separator) for value in (base, new))
    return separator.join(p for p in first if p not in second), separator.join(p for p in second if p not in first)


def _lacking(base: Side, others: list[Side]) -> dict[tuple[str, str], list[Any]]:
    known = {one.name: dict.fromkeys(cases(one.rows)) for one in (base, *others)}
    found = {}
    for other in others:
        for has, lacks in ((base.name, other.name), (other.name, base.name)):
            if only := [case for case in known[has] if case not in known[lacks]]:
                found[has, lacks] = only
    return found
