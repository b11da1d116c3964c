# SPDX-License-Identifier: GPL-2.0-only
"""Results of earlier versions: suite.json of schema 1 to 3 (pyperf's format), read into the same columns."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.errors import BadInput
from bench.plan.points import DEFAULTS
from bench.plan.records import INSTRUCTIONS, TIME, wrong_intervals
from bench.store.log import PER_BOOT

_HINT = "a run writes results/NAME/records.jsonl: ./bench.py run --name NAME"
_COUNTED = "tcg-icount"  # where the clock counted instructions, and the unit was called a second all the same
_TEXT = ("suite", "workload", "kind", "setting", "file_system", "interface", "phase", "where", "kernel_release")
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
_WHOLE = ("memory_bytes", "planned_runs")
_UNAVAILABLE = "unavailable:"  # and what: an interface, or a form at a point


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
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as file:
            data = json.load(file)
    except FileNotFoundError:
        if (folder / "meaning.json").is_file():
            hint = f"./bench.py report {folder.name} takes it, with others of its kind: one table over kernels"
            raise BadInput(f"{folder} is a result of the suite meaning, which has no times", hint) from None
        raise BadInput(f"there is no result in {folder}", _HINT) from None
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise BadInput(f"{path} can't be read: {error}", "it is damaged or no result; " + _HINT) from None
    if not isinstance(data, dict) or "benchmarks" not in data or data.get("version") != "1.0":
        raise BadInput(f"{path} is not a pyperf suite", _HINT)
    try:
        return _parse(data)
    except BadInput as error:
        raise BadInput(f"{path}: {error}", error.hint or _HINT) from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadInput(f"{path} is damaged ({type(error).__name__}: {error})", _HINT) from None


def _parse(data: dict[str, Any]) -> Old:
    """Collect columns, not a dict for each run: a suite of 10,000 benchmarks has 200,000 runs."""
    keys = (*_TEXT, *_NUMBERS, "cpu_model_name", "tsc_hz", "wrong", *(key for key in DEFAULTS if key != "kind"))
    columns: dict[str, list[Any]] = {key: [] for key in keys}
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
    if any(not isinstance(x, int | float) or x <= 0 for some in values for x in some):
        raise BadInput("it has times that are not positive numbers")
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


def _host(data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Metadata of the whole result; what differs from boot to boot as the median of the numbers or as all texts.

    And every reason why something is missing. Raises BadInput where a number is text.
    """
    host = dict(data.get("metadata", {}))
    metadata = [run.get("metadata", {}) for one in data["benchmarks"] for run in (one, *one["runs"])]
    lacking = set().union(*metadata) - host.keys()  # of 200,000 runs: look for what is there, not into each
    for key in sorted(lacking):
        found = [one[key] for one in metadata if key in one] if key in PER_BOOT or key.startswith(_UNAVAILABLE) else []
        if found:
            text = any(isinstance(value, str) for value in found)
            host[key] = "; ".join(dict.fromkeys(map(str, found))) if text else type(found[0])(np.median(found))
    for key in _WHOLE:
        if not isinstance(host.get(key, 0), int):
            raise BadInput(f"{key} is no whole number: {host[key]!r}")
    reasons = {key.removeprefix(_UNAVAILABLE): str(host[key]) for key in host if key.startswith(_UNAVAILABLE)}
    kept = {key: value for key, value in host.items() if not key.startswith(_UNAVAILABLE)}
    return {key: value for key, value in kept.items() if not isinstance(value, float) or np.isfinite(value)}, reasons


def _cells(key: str, owns: list[dict[str, Any]], common: dict[str, Any]) -> list[Any]:
    """A metadatum of each run: its own, or what they have in common."""
    return [own[key] if key in own else common[key] for own in owns]


def _defaults(schema: Any, unit: Any) -> dict[str, Any]:
    """What a run of this schema may lack. Raises BadInput for a schema that can't be read, or another unit."""
    if schema not in _LACKING:
        raise BadInput(f"a result of another program or a later version: schema is {schema!r}, not 'pagemap-bench 3'")
    if unit != "second":
        raise BadInput(f"its values are not in seconds: unit is {unit!r}")
    return _LACKING[schema]
