# SPDX-License-Identifier: GPL-2.0-only
"""Results of earlier versions: suite.json of schema 1 to 3 (pyperf's format), read into the same columns."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench import place, reading
from bench.errors import BadInput
from bench.plan import facts
from bench.plan.points import DEFAULTS, Point
from bench.plan.records import INSTRUCTIONS, LONGEST_NAME, MOST, TIME, Facts, wrong_intervals
from bench.plan.schema import parsed, typed
from bench.store.log import PER_BOOT

_HINT = "it is damaged or no result; a run writes results/NAME/records.jsonl: ./bench.py run --name NAME"
_COUNTED = "tcg-icount"  # where the clock counted instructions, and the unit was called a second all the same
_TEXT = ("suite", "workload", "kind", "setting", "file_system", "interface", "phase", "where", "kernel_release")
_LONGEST_SETTING = 1000  # characters: all settings of a point
_NUMBERS = (
    *("pages", "writes", "written_pages", "atomic", "boot", "process", "seed", "dirty_percent"),
    *("intervals", "extra", "missed", "overlapped"),
)
_OPTIONAL = {
    "cpu_model_name": "unknown CPU",
    "wrong": "",
    "suite": "",
    "setting": "",
    "file_system": "",
    "tsc_hz": 0.0,
    "overlapped": 0,
    **DEFAULTS,
}
# what each schema that can be read may lack; before version 2 a result had one boot, before 3 no settings
_LACKING: dict[Any, dict[str, Any]] = {
    "pagemap-bench 3": _OPTIONAL,
    "pagemap-bench 2": _OPTIONAL,
    "pagemap-bench 1": {"boot": 0, **_OPTIONAL},
}
_UNAVAILABLE = "unavailable:"  # and what: an interface, or a form at a point


class _Run(NamedTuple):
    """As pyperf writes it, like the next two: values in seconds, warm-ups with their loops."""

    values: list[float] = []  # noqa: RUF012  (nobody adds to it)
    warmups: list[list[float]] = []  # noqa: RUF012
    metadata: Facts = {}  # noqa: RUF012


class _Benchmark(NamedTuple):
    runs: list[_Run]
    metadata: Facts = {}  # noqa: RUF012


class _Suite(NamedTuple):
    version: str
    benchmarks: list[_Benchmark]
    metadata: Facts = {}  # noqa: RUF012


class Old(NamedTuple):
    """What frames.Result is made of: columns with a cell for each run, their values in nanoseconds of the clock."""

    columns: dict[str, list[Any]]
    values: list[list[float]]
    host: dict[str, Any]
    unavailable: dict[str, str]
    planned: int
    notes: list[str]


def load(folder: Path) -> Old:
    """Read folder/suite.json, packed or not. Raises BadInput for one that is missing, damaged or not ours."""
    path = folder / "suite.json"
    path = path if path.exists() else folder / "suite.json.gz"
    try:
        data = parsed(reading.whole(path))
        if not isinstance(data, dict) or data.get("version") != "1.0":
            raise BadInput("it is not a pyperf suite")
        return _parse(typed(data, _Suite, "suite"))
    except FileNotFoundError:
        if (folder / "meaning.json").is_file():
            hint = f"./bench.py report {place.called(folder)} takes it, with others of its kind: one table over kernels"
            raise BadInput(f"{folder} is a result of the suite meaning, which has no times", hint) from None
        raise BadInput(f"there is no result in {folder}", _HINT.partition("; ")[2]) from None
    except BadInput as error:
        raise BadInput(f"{path}: {error}", error.hint or _HINT) from None


def _parse(data: _Suite) -> Old:
    """Collect columns, not a dict for each run: a suite of 10,000 benchmarks has 200,000 runs."""
    keys = (*_TEXT, *_NUMBERS, "cpu_model_name", "tsc_hz", "wrong", *(key for key in DEFAULTS if key != "kind"))
    columns: dict[str, list[Any]] = {key: [] for key in keys}
    values: list[list[float]] = []
    for i, benchmark in enumerate(data.benchmarks):
        common = data.metadata | benchmark.metadata  # pyperf keeps what runs share one or two levels higher
        runs = [run for run in benchmark.runs if run.values]
        if not runs:  # warm-ups alone
            continue
        owns = [run.metadata for run in runs]
        kinds = {(own.get("schema", common.get("schema")), own.get("unit", common.get("unit"))) for own in owns}
        lacking = [_defaults(schema, unit) for schema, unit in kinds]
        common = lacking[0] | common
        differ = set().union(*owns)
        for key in columns:
            if key not in common and not all(key in own for own in owns):
                raise BadInput(f"benchmarks[{i}] lacks {key}")
            columns[key] += _cells(key, owns, common) if key in differ else [common[key]] * len(owns)
        values += [run.values for run in runs]
    if not values:
        raise BadInput("it has no values")
    if not all(0 < x < MOST * 1e-9 for some in values for x in some):
        raise BadInput("it has times that are not positive numbers")
    _check(columns)
    counts = zip(columns.pop("wrong"), columns["extra"], columns["missed"], strict=True)
    columns["wrong_intervals"] = [wrong_intervals(*one) for one in counts]
    columns["cpu"] = columns.pop("cpu_model_name")
    columns |= {"machine": [""] * len(values), "turn": [-1] * len(values), "vmas_left": [0] * len(values)}
    columns["quantity"] = [INSTRUCTIONS if where == _COUNTED else TIME for where in columns["where"]]
    host, unavailable = _host(data)
    distinct = {(*point, process) for *point, process in zip(*(columns[key] for key in
            ("workload", "kind", "pages", "dirty_percent", "setting", "process")), strict=True)}  # fmt: skip
    planned = int(host.pop("planned_runs", len(distinct)))
    return Old(columns, [[x * 1e9 for x in some] for some in values], host, unavailable, planned, [])


def _check(columns: dict[str, list[Any]]) -> None:
    """Raise BadInput for cells that can't be: each kind of them once, since runs repeat a few."""
    fields = Point._fields
    for one in set(zip(*(map(_telling, columns[key]) for key in fields), strict=True)):
        typed(dict(zip(fields, (value for _, value in one), strict=True)), Point, "point")
    for key, types in {
        **dict.fromkeys(_TEXT, str),
        **dict.fromkeys(_NUMBERS, int),
        "tsc_hz": float,
        "wrong": str,
    }.items():
        for _, value in set(map(_telling, columns[key])) if key not in fields else ():
            typed(value, types, key)
            if key in facts.KNOWN:
                facts.one(key, value, "metadata")
            if types is str and len(value) > (most := _LONGEST_SETTING if key == "setting" else LONGEST_NAME):
                raise BadInput(f"{key} has {len(value)} characters, more than {most}")
            if types is int and not 0 <= value <= MOST:
                raise BadInput(f"{key} is {value}, not 0 to {MOST}")


def _telling(value: Any) -> tuple[type, Any]:
    """A value that is not equal to another type's: 1, 1.0 and True are."""
    return type(value), value


def _host(data: _Suite) -> tuple[Facts, dict[str, str]]:
    """Metadata of the whole result; what differs from boot to boot as the median of the numbers or as all texts.

    And every reason why something is missing. Raises BadInput for a fact that can't be.
    """
    host = dict(data.metadata)
    metadata = [some for one in data.benchmarks for some in (one.metadata, *(run.metadata for run in one.runs))]
    lacking = set().union(*metadata) - host.keys()  # of 200,000 runs: look for what is there, not into each
    for key in sorted(lacking):
        found = [one[key] for one in metadata if key in one] if key in PER_BOOT or key.startswith(_UNAVAILABLE) else []
        if found:
            numbers = [value for value in found if not isinstance(value, str)]
            text = len(numbers) < len(found)
            host[key] = "; ".join(dict.fromkeys(map(str, found))) if text else type(numbers[0])(np.median(numbers))
    reasons = {key.removeprefix(_UNAVAILABLE): str(host[key]) for key in host if key.startswith(_UNAVAILABLE)}
    kept = {key: value for key, value in host.items() if not key.startswith(_UNAVAILABLE)}
    facts.check(kept, "metadata")
    return kept, reasons


def _cells(key: str, owns: list[dict[str, Any]], common: dict[str, Any]) -> list[Any]:
    """A metadatum of each run: its own, or what they have in common."""
    return [own[key] if key in own else common[key] for own in owns]


def _defaults(schema: Any, unit: Any) -> dict[str, Any]:
    """What a run of this schema may lack. Raises BadInput for a schema that can't be read, or another unit."""
    if schema not in _LACKING:
        raise BadInput(
            f"a result of another program or a later version: schema is {schema!r:.60}, not 'pagemap-bench 3'"
        )
    if unit != "second":
        raise BadInput(f"its values are not in seconds: unit is {unit!r:.60}")
    return _LACKING[schema]
