# SPDX-License-Identifier: GPL-2.0-only
"""Results as pandas frames: the only place that reads suite.json, and what a value, an interval, a wrong page is."""

import gc
import gzip
import json
import math
import re
import zlib
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.errors import BadInput
from bench.runner import SCHEMA

UNTRACKED = "none"  # the interface that tracks nothing: the baseline of `dirty`
LEGACY = "clear_refs"  # what every speedup is against
IOCTL = ("scan-wp atomic", "scan-wp")  # whose speedup it is: the first that was measured
# in tables and plots; others follow as they appear
ORDER = ("clear_refs", "scan-softdirty", "scan-wp", "v6", "v6-no-reused", "uffd-sync", "mprotect")
PUBLISHED = Path(__file__).resolve().parents[1] / "results/published"
# of one interval; and populate, which comes before the first one
PHASES = ["reset", "dirty", "collect", "collect_reset", "populate"]
POINT = ["workload", "kind", "pages", "dirty_percent", "setting"]  # what tells points apart
AXES = ["pages", "dirty_percent", "setting", "kind", "workload"]  # the same: of equally long ones, a headline's first
FORM = ["interface", "atomic"]

_TEXT = ("suite", "workload", "kind", "setting", "file_system", "interface", "phase", "where", "kernel_release")
_WHOLE = (
    *("pages", "writes", "written_pages", "atomic", "boot", "process", "seed"),
    *("intervals", "extra", "missed", "overlapped"),
)
_OTHER = ("dirty_percent", "loops", "cpu_model_name", "tsc_hz")
_OPTIONAL = {
    "loops": 1,
    "cpu_model_name": "unknown CPU",
    "wrong": "",
    "suite": "",
    "setting": "",
    "file_system": "",
    "tsc_hz": 0.0,
    "overlapped": 0,
}
# what each schema that can be read may lack; before version 2 a result had one boot, before 3 no settings
_LACKING: dict[Any, dict[str, Any]] = {
    SCHEMA: _OPTIONAL,
    "pagemap-bench 2": _OPTIONAL,
    "pagemap-bench 1": {"boot": 0, **_OPTIONAL},
}


_NUMBERS = ("memory_bytes", "planned_runs")
_UNAVAILABLE = "unavailable:"  # and what: an interface, or a form at a point
_PER_BOOT = ("memory_bytes", "clock_ns", "syscall_ns", "disturbances")  # what the reports show of it


class Results(NamedTuple):
    """frame: one row per value, tidy; host: the metadata that all runs share, and every reason why one is missing."""

    frame: pd.DataFrame
    host: dict[str, Any]


def load(path: Path) -> Results:
    """Read a suite.json (or .json.gz) of the runner: times in seconds, one row per value.

    Not through pyperf's loader, which compares each name with all others and checks all metadata again for every run:
    30 s for 10,000 benchmarks, against 1.5 s. Raises BadInput for a file that is missing, damaged or not ours.
    """
    gc.disable()  # 200,000 dicts, none of them garbage: collecting twice as long as reading
    try:
        return _load(path)
    finally:
        gc.enable()


def _load(path: Path) -> Results:
    hint = "a run writes results/NAME/suite.json: ./bench.py run --name NAME"
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as file:
            data = json.load(file)
    except FileNotFoundError:
        if (path.parent / "meaning.json").is_file():
            hint = f"./bench.py report {path.parent.name} takes it, with others of its kind: one table over kernels"
            raise BadInput(f"{path.parent} is a result of the suite meaning, which has no times", hint) from None
        raise BadInput(f"there is no {path}", hint) from None
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise BadInput(f"{path} can't be read: {error}", "it is damaged or no result; " + hint) from None
    if not isinstance(data, dict) or "benchmarks" not in data or data.get("version") != "1.0":
        raise BadInput(f"{path} is not a pyperf suite", hint)
    try:
        return _parse(data)
    except BadInput as error:
        raise BadInput(f"{path}: {error}", error.hint or hint) from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadInput(f"{path} is damaged ({type(error).__name__}: {error})", hint) from None


def _parse(data: dict[str, Any]) -> Results:
    """Collect columns, not a dict for each run: a suite of 10,000 benchmarks has 200,000 runs."""
    columns: dict[str, list[Any]] = {key: [] for key in (*_TEXT, *_WHOLE, *_OTHER, "wrong")}
    values: list[list[float]] = []
    shared = data.get("metadata", {})
    for benchmark in data["benchmarks"]:
        common = shared | benchmark.get("metadata", {})  # pyperf keeps what runs share one or two levels higher
        runs = [run for run in benchmark["runs"] if run.get("values")]
        owns = [run.get("metadata", {}) for run in runs]
        kinds = {(own.get("schema", common.get("schema")), own.get("unit", common.get("unit"))) for own in owns}
        lacking = [_defaults(schema, unit) for schema, unit in kinds]
        common = (lacking[0] if lacking else {}) | common
        differ = set().union(*owns)
        for key in columns:
            columns[key] += _cells(key, owns, common) if key in differ else [common[key]] * len(owns)
        values += [run["values"] for run in runs]
    if not values:
        raise BadInput("it has no values")
    counts = zip(columns.pop("wrong"), columns["extra"], columns["missed"], strict=True)
    columns["wrong_intervals"] = [_wrong_intervals(*one) for one in counts]
    table = _typed(pd.DataFrame(columns).rename(columns={"cpu_model_name": "cpu"}))
    lengths = np.fromiter(map(len, values), dtype=np.int64)
    frame = table.loc[np.repeat(table.index, lengths)].reset_index(drop=True)
    frame["value"] = np.arange(len(frame)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    frame["seconds"] = np.fromiter(chain.from_iterable(values), dtype=np.float64)
    if not (np.isfinite(frame["seconds"]) & (frame["seconds"] > 0)).all():
        raise BadInput("it has times that are not positive numbers")
    return Results(frame, _host(data))


def _host(data: dict[str, Any]) -> dict[str, Any]:
    """Metadata of the whole result; what differs from boot to boot as the median of the numbers or as all texts.

    Every reason why something is missing is part of it. Numbers that are none are left out. Raises BadInput where a
    number is text.
    """
    host = dict(data.get("metadata", {}))
    metadata = [run.get("metadata", {}) for one in data["benchmarks"] for run in (one, *one["runs"])]
    lacking = set().union(*metadata) - host.keys()  # of 200,000 runs: look for what is there, not into each
    for key in sorted(lacking):
        found = [one[key] for one in metadata if key in one] if key in _PER_BOOT or key.startswith(_UNAVAILABLE) else []
        if found:
            text = any(isinstance(value, str) for value in found)
            host[key] = "; ".join(dict.fromkeys(map(str, found))) if text else type(found[0])(np.median(found))
    for key in _NUMBERS:
        if not isinstance(host.get(key, 0), int):
            raise BadInput(f"{key} is no whole number: {host[key]!r}")
    return {key: value for key, value in host.items() if not isinstance(value, float) or math.isfinite(value)}


def _cells(key: str, owns: list[dict[str, Any]], common: dict[str, Any]) -> list[Any]:
    """A metadatum of each run: its own, or what they have in common."""
    return [own[key] if key in own else common[key] for own in owns]


def _text(word: Any) -> str:
    """Metadata as text that can be written: JSON may hold halves of characters."""
    return str(word).encode("utf-8", "replace").decode()


def _defaults(schema: Any, unit: Any) -> dict[str, Any]:
    """What a run of this schema may lack. Raises BadInput for a schema that can't be read, or another unit."""
    if schema not in _LACKING:
        raise BadInput(f"a result of another program or a later version: schema is {schema!r}, not {SCHEMA!r}")
    if unit != "second":
        raise BadInput(f"its values are not in seconds: unit is {unit!r}")
    return _LACKING[schema]


def _typed(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per run with checked types. Text becomes categories: 10,000 benchmarks repeat a few words."""
    for key in _WHOLE:
        runs[key] = runs[key].astype("int64")
    runs["dirty_percent"] = runs["dirty_percent"].astype("float64")
    runs["atomic"] = runs["atomic"].astype(bool)
    for key in (*_TEXT, "cpu"):
        words = runs[key].astype("category")
        runs[key] = words.cat.rename_categories([_text(word) for word in words.cat.categories])
    if (runs[["pages", "intervals"]] < 1).any(axis=None) or (runs[["extra", "missed"]] < 0).any(axis=None):
        raise BadInput("it has impossible counts of pages or intervals")
    if not set(runs["phase"].cat.categories) <= set(PHASES):
        raise BadInput(f"it has phases other than {', '.join(PHASES)}")
    for key in ("where", "kernel_release"):
        if runs[key].nunique() > 1:
            raise BadInput(f"it mixes results of several values of {key}", "keep one suite.json per kernel and machine")
    if runs.duplicated([*POINT, *FORM, "phase", "process"]).any():
        raise BadInput("two runs of one benchmark have the same process number")
    return runs


def _wrong_intervals(wrong: str, extra: int, missed: int) -> int:
    """How many intervals were wrong; `wrong` is run-length coded: 17x+0-0 1x+512-0."""
    if not (wrong or extra or missed):
        return 0
    coded = re.findall(r"(\d+)x\+(\d+)-(\d+)", wrong)
    count = sum(int(times) for times, more, less in coded if int(more) or int(less))
    return max(count, int(bool(extra or missed)))


def form(interface: str, atomic: bool) -> str:
    """Name an interface and how it was used: `scan-wp`, or `scan-wp atomic` (get and reset in one step)."""
    return f"{interface} atomic" if atomic else interface


def intervals(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per tracked interval of load()'s frame: (point, form, process, value), all times in seconds.

    Columns besides the point's: `form` (ordered category), each phase (NaN where the form has none), `seconds` (the
    whole interval), `untracked` (median `dirty` of `none` in the same process), `cost` (seconds - untracked: the
    headline), `tracker` (reset + collect, or collect_reset), `tracked` (dirty - untracked), and load()'s counts.
    Raises BadInput where a phase or the baseline is missing: a sum without it would look fast.
    """
    keys = [*POINT, *FORM, "process", "value"]
    tracked = frame[frame["interface"] != UNTRACKED]
    if tracked.empty:
        raise BadInput("it holds the untracked baseline only", "measure at least one interface: ./bench.py probe")
    wide = tracked.set_index([*keys, "phase"])["seconds"].unstack("phase").reindex(columns=PHASES)
    facts = tracked.drop_duplicates(keys).set_index(keys).drop(columns=["phase", "seconds"])
    rows = pd.concat([wide, facts.reindex(wide.index)], axis=1).reset_index()
    baseline = frame[(frame["interface"] == UNTRACKED) & (frame["phase"] == "dirty")]
    medians = baseline.groupby([*POINT, "process"], observed=True)["seconds"].median().rename("untracked")
    rows = rows.merge(medians.reset_index(), how="left", on=[*POINT, "process"])
    idle = rows["writes"] == 0
    for column in ("dirty", "untracked"):
        rows[column] = rows[column].mask(idle, 0.0)
    rows["tracker"] = rows["collect_reset"].where(rows["atomic"], rows["reset"] + rows["collect"])
    rows["seconds"] = rows["tracker"] + rows["dirty"]
    rows["tracked"] = rows["dirty"] - rows["untracked"]
    rows["cost"] = rows["seconds"] - rows["untracked"]
    if rows["cost"].isna().any():
        bad = rows[rows["cost"].isna()].iloc[0]
        raise BadInput(
            f"it lacks a phase or the untracked baseline of {bad.interface} in {bad.workload}, {bad.pages} pages"
        )
    rows["form"] = _ordered_forms(rows)
    return rows


def _ordered_forms(rows: pd.DataFrame) -> "pd.Series[Any]":
    """The form of each row, as a category in the order of tables and plots."""
    names = [*ORDER, *(name for name in rows["interface"].cat.categories if name not in ORDER)]
    used = rows[FORM].drop_duplicates().itertuples(index=False)
    known = sorted({(names.index(r.interface), bool(r.atomic)) for r in used})
    forms = [form(names[i], atomic) for i, atomic in known]
    text: pd.Series[str] = rows["interface"].astype(str) + np.where(rows["atomic"], " atomic", "")
    return text.astype(pd.CategoricalDtype(forms, ordered=True))


def exactness(rows: pd.DataFrame, by: list[str] | None = None) -> pd.DataFrame:
    """Counts per group of intervals()' rows, (point, form) by default, as totals.

    Columns `intervals`, `wrong_intervals`, `extra`, `missed`.
    """
    once = rows.drop_duplicates([*POINT, "form", "process"])
    counts = ["intervals", "wrong_intervals", "extra", "missed"]
    return once.groupby(by or [*POINT, "form"], observed=True)[counts].sum().reset_index()


def challenger(rows: pd.DataFrame) -> str | None:
    """The form whose speedup over LEGACY is shown; None where either was not measured."""
    forms = set(rows["form"].cat.categories)
    return next((name for name in IOCTL if name in forms), None) if LEGACY in forms else None


def axis(rows: pd.DataFrame) -> str:
    """The one of POINT along which most points differ in nothing else: what the headline is a table over."""
    points = rows[POINT].drop_duplicates()
    most = {one: points.groupby([key for key in POINT if key != one], observed=True).size().max() for one in AXES}
    return max(AXES, key=lambda one: most[one])


def sweep(rows: pd.DataFrame) -> pd.DataFrame:
    """The headline: rows that differ along axis() only; of several such sweeps the most usual and longest one.

    Usual is `random` nearest to 10 % dirty, on anonymous memory, without settings.
    """
    along = axis(rows)
    series = [key for key in POINT if key != along]
    lengths = rows.groupby(series, observed=True)[along].nunique().rename("length").reset_index()

    def rank(one: Any) -> tuple[bool | int | float, ...]:
        dirty = max(getattr(one, "dirty_percent", 10.0), 0.01)
        usual = getattr(one, "kind", "anon") == "anon", -len(getattr(one, "setting", "").split())
        random = getattr(one, "workload", "random") == "random"
        return one.length > 1, *usual, random, dirty > 0.01, one.length, -abs(math.log(dirty / 10))

    best = max(lengths.itertuples(), key=rank)
    return rows.loc[_equal(rows, {key: getattr(best, key) for key in series})]


def foremost(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the sweep's most telling point: the largest mapping, 10 % dirty, usual memory, without settings."""
    top = sweep(rows)
    along = axis(rows)
    values = list(top[along].unique())
    if along == "pages":
        chosen = max(values)
    elif along == "dirty_percent":
        chosen = min(values, key=lambda x: abs(math.log(max(x, 0.01) / 10)))
    else:
        usual = {"setting": "", "kind": "anon", "workload": "random"}[along]
        chosen = usual if usual in values else values[0]
    return top.loc[_equal(top, {along: chosen})]


def fractions(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one mapping size over dirty fractions: the headline's workload; `idle` and `all` at the ends it lacks."""
    alike = like_headline(rows)
    own = alike["workload"] == sweep(rows)["workload"].iloc[0]
    measured = pd.MultiIndex.from_frame(alike.loc[own, ["pages", "dirty_percent"]])
    lacking = ~pd.MultiIndex.from_frame(alike[["pages", "dirty_percent"]]).isin(measured)
    return _busiest(alike[own | (lacking & alike["workload"].isin(["idle", "all"]))], "dirty_percent")


def patterns(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one mapping size and the headline's dirty fraction over workloads."""
    alike = like_headline(rows)
    return _busiest(alike[alike["dirty_percent"] == sweep(rows)["dirty_percent"].iloc[0]], "workload")


def breakdown(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the few points whose phases are shown: the headline's between `idle` and `all`, at one mapping size."""
    alike = like_headline(rows)
    ends = alike["workload"].isin(["idle", "all"])
    return _busiest(alike[ends | alike.index.isin(sweep(rows).index)], "workload")


def headline(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one point of breakdown(): the one between `idle` and `all`, if there is one."""
    inner = rows[~rows["workload"].isin(["idle", "all"])]
    return inner if not inner.empty else rows


def empty(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of what tracking costs without anything to track: nothing written to a mapping of one page."""
    alike = like_headline(rows)
    return alike[(alike["workload"] == "idle") & (alike["pages"] == 1)]


def like_headline(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the headline's kind of memory and settings."""
    first = foremost(rows).iloc[0]
    return rows[_equal(rows, {key: first[key] for key in ("kind", "setting")})]


def _equal(rows: pd.DataFrame, wanted: dict[str, Any]) -> "pd.Series[bool]":
    keep: pd.Series[bool] = pd.Series(True, index=rows.index)
    for key, value in wanted.items():
        keep &= rows[key] == value
    return keep


def _busiest(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Keep the mapping size that has the most different values of column; of equals the largest."""
    counts = rows.groupby("pages")[column].nunique()
    return rows.loc[rows["pages"].isin([counts[counts == counts.max()].index.max()])]


class Published(NamedTuple):
    """Somebody else's numbers, of another machine: `frame` as its file has it, `about` says what and whose they are."""

    frame: pd.DataFrame
    about: str


def published(name: str) -> Published | None:
    """Read results/published/NAME.csv: what others published of what the suite NAME measures; None if nobody did.

    Sizes such as 10MB come as `pages`.
    """
    path = PUBLISHED / f"{name}.csv"
    if not path.exists():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    about = " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))
    frame = pd.read_csv(path, comment="#")
    if "size" in frame:
        units = {"MB": 256, "GB": 256 * 1024}  # pages
        frame["pages"] = [int(text[:-2]) * units[text[-2:]] for text in frame.pop("size")]
    return Published(frame, about)
