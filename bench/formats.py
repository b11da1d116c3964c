# SPDX-License-Identifier: GPL-2.0-only
"""A comparison as text, Markdown, CSV or JSON, and a result as CSV. What each column holds: results/README.md."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd

from bench import findings, results, stats, tables
from bench.compare import METRICS, Comparison

SCHEMA = "pagemap-bench comparison 2"
NEWS = 2  # new results that fit beside the base in 72 columns
CASES = 12  # of those that differ most, shown where space is short
_POINT = ["workload", "kind", "pages", "dirty_percent", "setting"]
_SIGNS = {
    "change": "change = new/old - 1, less than 0 is faster",
    "improvement": "improvement = 1 - new/old, more than 0 is faster",
}


def verdict(made: Comparison, sign: str = "change") -> str:
    """The main result of a comparison, with its uncertainty. Its first words are the answer."""
    return " ".join(_verdict(made, one.name, sign) for one in made.results[1:])


def _verdict(made: Comparison, name: str, sign: str) -> str:
    rows = made.frame[made.frame["new_name"] == name]
    whose = f" of {name}" if len(made.results) > 2 else ""
    found, known = rows[rows["significant"]], rows[rows["ratio"].notna()]
    ratio, low, high = made.geomean(name, "")
    mean = f"geomean {percent(ratio, sign)}"
    mean += f", 95% CI {percent(low, sign)} to {percent(high, sign)}" if math.isfinite(low) else ""
    units = _units(made, name)
    within = " within one boot of each" if units == "processes" else ""
    test = f"Mann-Whitney on {units}{within}, Holm over {tables.many(made.tests, 'test')}, {made.alpha:g}"
    least = stats.needed(made.tests, made.alpha)
    if rows["least_p"].min() * made.tests >= made.alpha:
        return (
            f"Too few runs for a verdict{whose}: among {tables.many(made.tests, 'test')} no difference can be "
            f"significant; it takes {least} {units} or more in each result, or fewer cases (--filter)."
        )
    if found.empty:
        half = ((known["high"] - known["low"]) / 2 / known["ratio"])[known["enough"]].median()
        sure = "" if math.isnan(half) else f"; half of the changes are known to +-{_digits(100 * half)}% or better"
        return f"No significant difference{whose} in {tables.many(len(rows), 'case')} ({test}; {mean}{sure})."
    faster, slower = found[found["ratio"] < 1], found[found["ratio"] > 1]
    parts = []
    for some, word, extreme in ((faster, "faster", "idxmin"), (slower, "slower", "idxmax")):
        if not some.empty:
            most = some.loc[getattr(some["ratio"], extreme)()]
            parts.append(f"{len(some)} {word}, by up to {most_of(most, sign)}")
    return f"{len(found)} of {tables.many(len(rows), 'case')}{whose} differ: {'; '.join(parts)} ({test}; {mean})."


def text(made: Comparison, *, sort: str = "case", sign: str = "change") -> str:
    """The whole comparison as mail text: verdict, warnings, a line for each case, what is behind the numbers."""
    parts = [verdict(made, sign), *made.warnings]
    head = [tables.paragraph(line, hang="  ") for one in made.results for line in findings.wrong(one.rows, one.name)]
    paragraphs = ["\n".join(head)] if head else []
    paragraphs += [tables.paragraph(line, hang="  " if i else "") for i, line in enumerate(parts)]
    return "\n\n".join([*paragraphs, legend(made), table(made, made.frame, sort=sort, sign=sign), notes(made, sign)])


def legend(made: Comparison) -> str:
    """Which result is which, what was measured how often, and in what."""
    heads = ["base", *_heads(made)]
    lines = [
        f"{head}: {one.name}, {tables.where(one.rows)}, {findings.sample(one.rows)}"
        for head, one in zip(heads, made.results, strict=True)
    ]
    few = "" if made.frame["enough"].all() else f", or range of fewer than {stats.ENOUGH} runs"
    what = f"One tracking interval: {METRICS[made.metric]}, us (median +- 95% CI{few}), lower is better"
    return "\n".join(map(tables.paragraph, [what, tables.memory(made.results[0].rows)])) + "\n" + "\n".join(
        tables.paragraph(line, hang="    ") for line in lines
    )  # fmt: skip


def _heads(made: Comparison) -> list[str]:
    news = len(made.results) - 1
    return ["new"] if news == 1 else [f"new {i + 1}" for i in range(news)]


def most_of(row: "pd.Series[Any]", sign: str = "change") -> str:
    """One row of Comparison.frame: by how much, how surely, which case."""
    bounds = f"{'95% CI' if row['enough'] else 'range'} {percent(row['low'], sign)} to {percent(row['high'], sign)}"
    return f"{percent(row['ratio'], sign)} ({findings.case(row)}; {bounds})"


def _units(made: Comparison, name: str) -> str:
    """What was compared with the base: boots, or processes where both had one boot."""
    sides = [one.rows for one in made.results if one.name in (made.results[0].name, name)]
    return {"boot": "boots", "process": "processes"}[stats.unit(*sides)]


def table(made: Comparison, frame: pd.DataFrame, *, sort: str = "case", sign: str = "change") -> str:
    """Rows of Comparison.frame as text, grouped by form; several new results side by side, NEWS at a time."""
    names = [one.name for one in made.results[1:]]
    if len(names) == 1:
        return tables.grid(*_two(made, frame, sort, sign), bar="  ")
    blocks = [
        tables.grid(*_several(made, frame, names[i : i + NEWS], sort, sign), bar="  ")
        for i in range(0, len(names), NEWS)
    ]
    return "\n\n".join(blocks)


def _two(made: Comparison, frame: pd.DataFrame, sort: str, sign: str) -> tuple[list[list[str]], list[list[str]]]:
    """Heads and body of base against one new result."""
    body: list[list[str]] = []
    name = made.results[1].name
    for form, rows in _groups(frame, sort):
        body += [[form]]
        for row in rows.itertuples():
            body.append(
                [
                    f"  {tables.series(row)} {row.pages}",
                    *(_cell(row, side) for side in ("base", "new")),
                    _change(row, sign),
                    f"{row.p_holm:.3f}",
                ]
            )
        body += [["  geomean", "", "", percent(made.geomean(name, form)[0], sign), ""]]
    body += [[], ["geomean of all", "", "", percent(made.geomean(name, "")[0], sign), ""]]
    return [["case, pages", "base", "new", sign, "p"]], body


def _several(
    made: Comparison, frame: pd.DataFrame, names: list[str], sort: str, sign: str
) -> tuple[list[list[str]], list[list[str]]]:
    """Heads and body of several new results, a column each, against the base."""
    heads = dict(zip((one.name for one in made.results[1:]), _heads(made), strict=True))
    body: list[list[str]] = []
    for form, rows in _groups(frame, sort):
        body += [[form]]
        for _, case in rows.groupby(_POINT, sort=False):
            news = {row.new_name: row for row in case.itertuples()}
            first = next(iter(news.values()))
            cells = [_change(news[n], sign, bounds=True) if n in news else "" for n in names]
            body.append([f"  {tables.series(first)} {first.pages}", _cell(first, "base"), *cells])
        body += [["  geomean", "", *(percent(made.geomean(n, form)[0], sign) for n in names)]]
    body += [[], ["geomean of all", "", *(percent(made.geomean(n, "")[0], sign) for n in names)]]
    return [["case, pages", "base", *(heads[name] for name in names)]], body


def foremost(made: Comparison) -> pd.DataFrame:
    """Rows of the CASES cases that differ most, significant ones first, in all results."""
    logs = pd.Series(np.log(made.frame["ratio"].to_numpy(dtype=np.float64)), index=made.frame.index).fillna(0)
    ranked = made.frame.assign(size=logs.abs(), slower=logs > 0).sort_values(["significant", "size"], ascending=False)
    turns = ranked.groupby(["significant", "slower"]).cumcount()  # faster and slower in turn: none hides the other
    order = ranked.assign(turn=turns).sort_values(["significant", "turn"], ascending=[False, True], kind="stable")
    cases = order[findings.CASE].drop_duplicates().head(CASES)
    return made.frame[pd.MultiIndex.from_frame(made.frame[findings.CASE]).isin(pd.MultiIndex.from_frame(cases))]


def _groups(frame: pd.DataFrame, sort: str) -> Any:
    """Rows by form, in the wished order."""
    by = {"case": ["workload", "dirty_percent", "pages"], "change": ["ratio"], "p": ["p_holm", "ratio"]}[sort]
    return frame.sort_values(by, kind="stable").groupby("form", observed=True)


def _cell(row: Any, side: str) -> str:
    """Median and half width of its CI; * where an interval was wrong."""
    low, high = getattr(row, f"{side}_low"), getattr(row, f"{side}_high")
    found = {"median": getattr(row, side), "low": low, "high": high}
    mark = "*" if getattr(row, f"{side}_wrong") else ""
    return f"{mark}{tables.us(found['median'])} {tables.spread(found)}".strip()


def _change(row: Any, sign: str, *, bounds: bool = False) -> str:
    if not row.significant:
        return "~" if math.isfinite(row.ratio) else "?"
    half = max(row.high - row.ratio, row.ratio - row.low)
    shown = ("*" if bounds and row.new_wrong else "") + percent(row.ratio, sign)
    return f"{shown} +-{_digits(100 * half)}%" if bounds and math.isfinite(half) else shown


def percent(ratio: float, sign: str = "change") -> str:
    """A ratio new/old as a change in percent: -21.5%, +0.03%."""
    change = 100 * (ratio - 1) * (1 if sign == "change" else -1)
    return f"{'+' if change >= 0 else '-'}{_digits(abs(change))}%" if math.isfinite(change) else "?"


def _digits(value: float) -> str:
    return f"{value:.{2 if value < 1 else 1 if value < 100 else 0}f}"


def notes(made: Comparison, sign: str) -> str:
    """What the table's numbers and signs mean."""
    text = (
        f"{_SIGNS[sign]}; ~ = not significant, Mann-Whitney on the medians of the "
        f"{' or '.join(dict.fromkeys(_units(made, one.name) for one in made.results[1:]))}, Holm over "
        f"{tables.many(made.tests, 'test')}, {made.alpha:g}"
    )
    if made.frame["ratio"].isna().any():
        text += "; ? = a median is not positive"
    if (made.frame[["base_wrong", "new_wrong"]] != "").any(axis=None):
        text += "; * = not every interval was exact"
    return tables.note(text)


def markdown(made: Comparison, *, sort: str = "case", sign: str = "change") -> str:
    """The comparison for an issue tracker: verdict, warnings, one table."""
    interval = "95% CI" if made.frame["enough"].all() else "95% CI or range"
    heads = ["interface", "case", "base, us", "new, us", sign, interval, "p (Holm)", "wrong pages"]
    named = len(made.results) > 2
    lines = [*(f"**{line}**" for one in made.results for line in findings.wrong(one.rows, one.name))]
    lines += [
        f"**{_escaped(verdict(made, sign))}**",
        *map(_escaped, made.warnings),
        _escaped(f"One tracking interval: {METRICS[made.metric]}; lower is better"),
    ]
    body = [[*(["result"] if named else []), *heads]]
    body.append(["---" if head in ("interface", "case", "result") else "---:" for head in body[0]])
    for form, rows in _groups(made.frame, sort):
        for row in rows.itertuples():
            bounds = sorted([row.low, row.high], reverse=sign != "change")
            interval = " to ".join(percent(b, sign) for b in bounds)
            wrong = " / ".join(filter(None, [row.base_wrong, row.new_wrong]))
            cells = [
                form,
                f"{tables.series(row)} {row.pages}",
                _cell(row, "base"),
                _cell(row, "new"),
                _change(row, sign),
                interval,
            ]
            body.append([*([row.new_name] if named else []), *cells, f"{row.p_holm:.3f}", wrong])
    lines.append("\n".join(f"| {' | '.join(map(_escaped, cells))} |" for cells in body))
    return "\n\n".join(lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("~", "\\~").replace("*", "\\*") if set(cell) - set("-: ") else cell


def tidy(made: Comparison) -> pd.DataFrame:
    """Comparison.frame as exported: one fact a column, units in the names."""
    frame = made.frame
    known: dict[str, Any] = {"schema": SCHEMA, "base_name": frame["base_name"], "new_name": frame["new_name"]}
    known |= {column: frame[column] for column in _POINT}
    known |= {"form": frame["form"].astype(str), "metric": frame["metric"]}
    for side in ("base", "new"):
        known |= {
            f"{side}_median_seconds": frame[side],
            f"{side}_low_seconds": frame[f"{side}_low"],
            f"{side}_high_seconds": frame[f"{side}_high"],
            f"{side}_units": frame[f"{side}_units"],
            f"{side}_extra_pages": frame[f"{side}_extra"],
            f"{side}_missed_pages": frame[f"{side}_missed"],
        }
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
        "schema": SCHEMA,
        "verdict": verdict(made),
        "warnings": made.warnings,
        "metric": made.metric,
        "alpha": made.alpha,
        "tests": made.tests,
        "results": [{"name": one.name, "metadata": one.host} for one in made.results],
        "geomeans": [
            {"new_name": name, "form": form or None, **_known(values)} for (name, form), values in made.geomeans.items()
        ],
        "cases": cases,
    }
    return json.dumps(found, indent=1, allow_nan=False)


def _known(values: tuple[float, float, float]) -> dict[str, float | None]:
    named = zip(("ratio", "ratio_low", "ratio_high"), values, strict=True)
    return {name: value if math.isfinite(value) else None for name, value in named}


def result_csv(loaded: results.Results) -> str:
    """A result, a line per value."""
    columns = [
        *("workload", "kind", "pages", "dirty_percent", "setting", "interface", "atomic", "phase"),
        *("boot", "process", "value", "seconds", "loops", "intervals", "wrong_intervals", "extra", "missed"),
        *("writes", "written_pages", "seed", "where", "kernel_release", "cpu"),
    ]
    renamed = {"extra": "extra_pages", "missed": "missed_pages"}
    frame = loaded.frame[columns].rename(columns=renamed)
    frame["atomic"] = frame["atomic"].astype(int)
    return frame.assign(schema=loaded.host.get("schema", "")).to_csv(index=False)
