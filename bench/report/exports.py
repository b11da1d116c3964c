# SPDX-License-Identifier: GPL-2.0-only
"""Results and comparisons as CSV and JSON. What each column holds: results/README.md."""

import json
import math
from typing import Any

import pandas as pd

from bench.plan.interfaces import form
from bench.plan.plan import SCHEMA
from bench.plan.points import Point
from bench.plan.records import WAITS
from bench.report import changes
from bench.stats.comparison import Comparison
from bench.store import frames
from bench.store.frames import COUNTS, POINT

COMPARISON_SCHEMA = "pagemap-bench comparison 3"
_SETTINGS = [key for key in Point._fields if key not in POINT]


def tidy(made: Comparison) -> pd.DataFrame:
    """Comparison.frame as exported: one fact a column; medians in `unit`, pages per interval."""
    frame = made.frame
    known: dict[str, Any] = {"schema": COMPARISON_SCHEMA, "base_name": frame["base_name"]}
    known |= {column: frame[column] for column in ("new_name", *POINT)}
    known |= {"form": frame["form"].astype(str)}
    known |= {column: frame[column] for column in ("metric", "quantity", "unit")}
    for side in ("base", "new"):
        known |= {f"{side}_median": frame[side]}
        known |= {f"{side}_{what}": frame[f"{side}_{what}"] for what in ("low", "high", "units")}
        known |= {f"{side}_{what}_pages": frame[f"{side}_{what}"] for what in ("extra", "missed")}
    known |= {"ratio": frame["ratio"], "ratio_low": frame["low"], "ratio_high": frame["high"]}
    known |= {"p": frame["p"], "p_holm": frame["p_holm"], "significant": frame["significant"].astype(int)}
    return pd.DataFrame(known)


def comparison_csv(made: Comparison) -> str:
    """A line per case and new result."""
    return tidy(made).to_csv(index=False)


def comparison_json(made: Comparison) -> str:
    """Everything a program could ask: verdict, warnings, results, geomeans, cases."""
    cases = json.loads(tidy(made).drop(columns="schema").to_json(orient="records"))
    found = {
        "schema": COMPARISON_SCHEMA,
        "verdict": changes.verdict(made),
        "warnings": changes.warnings(made),
        "metric": made.metric,
        "alpha": made.alpha,
        "tests": made.tests,
        "results": [{"name": one.name, "metadata": one.result.host} for one in made.sides],
        "geomeans": [
            {"new_name": name, "form": form or None, **_known(values)} for (name, form), values in made.geomeans.items()
        ],
        "cases": cases,
    }
    return json.dumps(found, indent=1, allow_nan=False)


def _known(values: tuple[float, float, float]) -> dict[str, float | None]:
    named = zip(("ratio", "ratio_low", "ratio_high"), values, strict=True)
    return {name: value if math.isfinite(value) else None for name, value in named}


def result_csv(result: frames.Result) -> str:
    """A result, a line per value."""
    frame = result.frame
    forms = {(name, atomic): form(name, atomic) for name in frame["interface"].unique() for atomic in (False, True)}
    named = [forms[key] for key in zip(frame["interface"], frame["atomic"], strict=True)]
    frame = frame.assign(schema=SCHEMA, form=named, atomic=frame["atomic"].astype(int))
    columns = [
        *("schema", *POINT, *_SETTINGS, "form", "interface", "atomic", "phase", "boot", "process", "round"),
        *("quantity", "unit", "value", *COUNTS, "overlapped", "vmas_left", "writes", "written_pages"),
        *("periods", "late", "orders_before", "orders_after", "orders_changed"),
        *("seed", "file_system", "where", "kernel_release", "cpu", *WAITS, "bystanders_phase", "bystanders_pause_us"),
    ]
    return frame[columns].rename(columns={"extra": "extra_pages", "missed": "missed_pages"}).to_csv(index=False)
