# SPDX-License-Identifier: GPL-2.0-only
"""The report as one self-contained HTML file: the finding, the plots, every case, every value, the machine."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from bench.plan.interfaces import INTERFACES, LEGACY
from bench.report import numbers, tables
from bench.report.functions import Section
from bench.report.numbers import Unit
from bench.stats import samples
from bench.store import frames
from bench.store.frames import CASE

SHOWN = ("cost", "reset", "dirty", "collect")  # whose every value is in the page
_WORDS = frozenset({"workload", "kind", "setting", "form"})
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_SHAPES = ("path", "rect", "circle", "ellipse", "line", "polygon", "polyline", "use", "image", "text", "tspan")
_DRAWING = frozenset({"svg", "g", "defs", "clipPath", "pattern", *_SHAPES})
_REFERENCE = re.compile(r"url\(#([^)]*)\)")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")  # what no XML may hold


class Cell(NamedTuple):
    """Text, class of its look, and how many intervals were wrong where this is the cell to say so."""

    text: str
    look: str
    wrong: str


class Column(NamedTuple):
    """A column of the table: its heading, and for each case the text and what to sort by (None sorts last)."""

    key: str
    group: str
    head: str
    note: str  # unit, below the heading
    texts: list[str]
    order: list[Any]

    @property
    def look(self) -> str:
        """How its cells look: words stand left, numbers right."""
        return "t" if self.key in _WORDS else ""


def page(
    name: str, summary: list[str], rows: pd.DataFrame, host: dict[str, Any], figures: dict[str, str], stored: str = ""
) -> str:
    """Return the whole file; the same data gives the same text. It loads nothing and needs no script to be read.

    name: the result's; summary: paragraphs of plain text, where a newline is a line break; rows: of
    frames.intervals(); host: frames.load()'s; figures: plot -> SVG; stored: where the data are. Everything may be
    hostile and is escaped.
    Raises xml.etree.ElementTree.ParseError for a figure that is no SVG.
    """
    rows = _prepared(rows)
    cases = pd.MultiIndex.from_frame(rows[CASE].drop_duplicates())
    estimates = _estimates(rows, cases)
    exact = frames.exactness(rows).set_index(CASE).reindex(cases)
    columns = _columns(rows, cases, estimates, exact)
    return _template("report.html").render(
        name=name,
        summary=[text.strip() for text in summary],
        where=tables.where(rows),
        memory=tables.memory(rows),
        cpu=str(rows["cpu"].iloc[0]),
        figures={title: _inline(svg, f"plot{i}-") for i, (title, svg) in enumerate(sorted(figures.items()))},
        columns=columns,
        groups=_groups(columns),
        lines=_lines(cases, columns, exact),
        interval=tables.interval_name(estimates["cost"]),
        legacy=INTERFACES[LEGACY].heading or LEGACY,
        unit=numbers.unit(rows),
        data=_data(rows, columns, estimates, exact),
        host={key: str(host[key]) for key in sorted(host)},
        command=str(host.get("command", "")),
        stored=stored,
    )


def ledger(
    title: Sequence[str],
    sections: Sequence[Section],
    last: Sequence[str] = (),
    figures: Mapping[str, str] | None = None,
) -> str:
    """Return the function ledger as one file: its title, plots (name -> SVG), sections, and what is said at its end."""
    return rendered("functions.html", figures or {}, title=title, sections=sections, last=last)


def rendered(template: str, figures: Mapping[str, str], **parts: Any) -> str:
    """Return a template with plots (name -> SVG) and these parts, all of it escaped."""
    shown = {name: _inline(svg, f"plot{i}-") for i, (name, svg) in enumerate(sorted(figures.items()))}
    return _template(template).render(figures=shown, **parts)


def _template(name: str) -> jinja2.Template:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return made.get_template(name)


def _printable(value: Any) -> Any:
    r"""Show what would be invisible, turn the text around or be no Unicode, as \x1b; markup of ours stays."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in value)


def _prepared(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order of the page; `collect` holds collect_reset where that is what was done; NaN: no writes."""
    idle = rows["writes"] == 0
    changed = {"collect": rows["collect"].fillna(rows["collect_reset"])}
    changed |= {key: rows[key].mask(idle) for key in ("dirty", "untracked")}
    return rows.assign(**changed).sort_values([*CASE, "boot", "process", "round"], ignore_index=True)


def _estimates(rows: pd.DataFrame, cases: pd.MultiIndex) -> dict[str, pd.DataFrame]:
    """Median of each phase per case, in the rows' unit; of the cost with its interval, as of samples.medians().

    The phases go without: to resample them all would double the time that a page of 10,000 benchmarks takes.
    """
    found = {
        key: samples.units(rows, CASE, key).median(axis=1).to_frame("median")
        for key in ("reset", "dirty", "untracked", "collect")
    }
    found["cost"] = samples.medians(rows, CASE, "cost")
    return {key: table.reindex(cases) for key, table in found.items()}


def _columns(
    rows: pd.DataFrame, cases: pd.MultiIndex, estimates: dict[str, pd.DataFrame], exact: pd.DataFrame
) -> list[Column]:
    """The columns of the table, in order; those that tell no case from another are left out."""
    unit = numbers.unit(rows)
    columns = [_named(cases, "workload", "workload")]
    columns += [_named(cases, key, key) for key in ("kind", "setting") if rows[key].nunique() > 1]
    dirty = cases.get_level_values("dirty_percent")
    columns.append(Column("dirty_percent", "case", "dirty", "of pages", [f"{x:g}%" for x in dirty], dirty.tolist()))
    columns += [_named(cases, "pages", "pages"), _named(cases, "form", "interface")]
    whole = "whole interval"
    cost = _amount("cost", whole, f"{unit.title}, lower is better", estimates, unit)
    columns += [cost, _spread("cost", whole, estimates["cost"])]
    phases = f"its phases, {unit.title}, lower is better"
    columns += [_amount(key, phases, "", estimates, unit) for key in ("reset", "dirty", "untracked", "collect")]
    columns += _ratio(rows, cases, unit)
    for key, sign in (("extra", 1), ("missed", 0)):
        counts = (exact[key] / exact["intervals"]).tolist()
        texts = [numbers.wrong(count * sign, count * (1 - sign)) for count in counts]
        columns.append(Column(key, "wrong pages per interval", key, "", texts, counts))
    return [*columns, *_sample(rows)]


def _lines(cases: pd.MultiIndex, columns: list[Column], exact: pd.DataFrame) -> list[tuple[str, list[Cell]]]:
    """The rows of the table, each with its class: where a point begins, and what was wrong."""
    starts = ~cases.droplevel("form").duplicated()
    counts = zip(exact["wrong_intervals"].tolist(), exact["intervals"].tolist(), strict=True)
    wrong = [f"{bad} of {of} intervals" if bad else "" for bad, of in counts]
    none = [""] * len(cases)
    cells = [
        map(Cell, column.texts, [column.look] * len(cases), wrong if column.key == "form" else none)
        for column in columns
    ]
    looks = [f"case{' start' * start}{' bad' * bool(bad)}" for start, bad in zip(starts.tolist(), wrong, strict=True)]
    return [(look, list(line)) for look, line in zip(looks, zip(*cells, strict=True), strict=True)]


def _named(cases: pd.MultiIndex, key: str, head: str) -> Column:
    """A column of what was measured; forms sort in their own order, not by letters."""
    values = cases.get_level_values(key)
    order = values.codes.tolist() if key == "form" else values.tolist()  # type: ignore[attr-defined]
    return Column(key, "case", head, "", [str(value) for value in values], order)


def _amount(key: str, group: str, note: str, estimates: dict[str, pd.DataFrame], unit: Unit) -> Column:
    median = estimates[key]["median"]
    texts = ["" if np.isnan(value) else numbers.amount(value, unit) for value in median]
    return Column(key, group, key, note, texts, _plain(unit.factor * median.to_numpy()))


def _spread(key: str, group: str, estimates: pd.DataFrame) -> Column:
    """Half width of low to high in percent of the median, the wider side: as in the report's tables."""
    median, low, high = (estimates[side].to_numpy() for side in ("median", "low", "high"))
    with np.errstate(all="ignore"):
        half = 100 * np.maximum(high - median, median - low) / np.abs(median)
    known = np.isfinite(half)
    texts = [f"{x:.{int(x < 0.95)}f}%" if ok else "" for x, ok in zip(half, known, strict=True)]
    sure = {bool(one.enough) and not one.counted for one in estimates[known].itertuples()}
    note = " or ".join(name for name, one in (("95% CI", True), ("range", False)) if one in sure)
    return Column(f"{key}_spread", group, "±", note, texts, _plain(half))


def _ratio(rows: pd.DataFrame, cases: pd.MultiIndex, unit: Unit) -> list[Column]:
    """How many times less each form takes than LEGACY at its point, and its spread; none where that is missing."""
    others = [form for form in rows["form"].cat.categories if form != LEGACY]
    if not others or not (rows["form"] == LEGACY).any():
        return []
    found = {form: samples.ratios(rows, frames.POINT, "cost", LEGACY, form) for form in others}
    ratio = pd.concat(found, names=["form"]).reorder_levels(CASE).reindex(cases)
    texts = ["" if np.isnan(value) else numbers.times(value) for value in ratio["median"]]
    group = f"times fewer than {LEGACY}" if unit.counted else f"over {LEGACY}"
    middle = Column("ratio", group, unit.ratio, "higher is better", texts, _plain(ratio["median"].to_numpy()))
    return [middle, _spread("ratio", group, ratio)]


def _sample(rows: pd.DataFrame) -> list[Column]:
    """How many processes measured each case, and in how many boots where there were several."""
    processes = rows.drop_duplicates([*CASE, "boot", "process"]).groupby(CASE, observed=True)["boot"]
    counts = {"boots": processes.nunique().tolist()} if rows["boot"].nunique() > 1 else {}
    counts["processes"] = processes.size().tolist()
    return [Column(key, "sample", key, "", [str(n) for n in some], some) for key, some in counts.items()]


def _groups(columns: list[Column]) -> list[tuple[str, int]]:
    """Headings over several columns, each with how many."""
    names = [column.group for column in columns]
    return [(name, names.count(name)) for name in dict.fromkeys(names)]


def _data(
    rows: pd.DataFrame, columns: list[Column], estimates: dict[str, pd.DataFrame], exact: pd.DataFrame
) -> dict[str, Any]:
    """What the script needs, by column: per case what to sort by and estimates, then every value, in the table's unit.

    `first` holds where a case's values begin, and at its end how many values there are: int[n_cases + 1].
    """
    unit = numbers.unit(rows)
    sizes = rows.groupby(CASE, observed=True).size().to_numpy()
    return {
        "order": {column.key: column.order for column in columns},
        "estimates": {
            key: {
                side: _plain(unit.factor * table[side].to_numpy())
                for side in ("median", "low", "high")
                if side in table
            }
            for key, table in estimates.items()
        },
        "wrong": {key: exact[key].tolist() for key in ("intervals", "wrong_intervals", "extra", "missed")},
        "atomic": rows.groupby(CASE, observed=True)["atomic"].first().tolist(),
        "unit": unit.title,
        "counted": unit.counted,
        "interval": tables.interval_name(estimates["cost"]),
        "first": [0, *np.cumsum(sizes).tolist()],
        "boot": rows["boot"].tolist(),
        "process": rows["process"].tolist(),
        "values": {key: _plain(unit.factor * rows[key].to_numpy()) for key in SHOWN},
    }


def _plain(values: NDArray[np.float64]) -> list[float | None]:
    """Numbers that JSON can hold, to a ten-thousandth; None for NaN and infinity."""
    return [x if ok else None for x, ok in zip(values.round(4).tolist(), np.isfinite(values).tolist(), strict=True)]


def _inline(svg: str, prefix: str) -> Markup:
    """The drawing as markup that can stand in a page beside others: ids begin with prefix, nothing but shapes and text.

    Inline, so that its text can be selected and found. Every attribute that could run or load something is left out,
    although matplotlib writes none: the machine's own words are drawn into it.
    """
    root = ElementTree.fromstring(_CONTROLS.sub("\ufffd", svg))  # noqa: S314 ours, of matplotlib; expat loads nothing
    _clean(root, prefix)
    root.attrib.pop("height", None)  # the page scales it; viewBox keeps its proportions
    root.attrib.pop("width", None)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 rebuilt from known elements


def _clean(element: ElementTree.Element, prefix: str) -> None:
    """Keep the elements of _DRAWING, take away namespaces (HTML knows svg without), prefix ids and references."""
    element.tag = element.tag.removeprefix(_SVG)
    for child in list(element):
        if str(child.tag).removeprefix(_SVG) in _DRAWING:
            _clean(child, prefix)
        else:
            element.remove(child)
    kept = {}
    for key, value in element.attrib.items():
        if key in (_HREF, "href"):
            if value.startswith("#"):
                kept["href"] = f"#{prefix}{value[1:]}"
            elif value.startswith("data:image/png;base64,"):
                kept["href"] = value
        elif key == "id":
            kept["id"] = prefix + value
        elif not key.startswith(("{", "on")) and "url(" not in _REFERENCE.sub("", value).lower():
            kept[key] = _REFERENCE.sub(rf"url(#{prefix}\1)", value)
    element.attrib.clear()
    element.attrib.update(kept)
