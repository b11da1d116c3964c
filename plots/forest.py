# SPDX-License-Identifier: GPL-2.0-only
"""Base against patched: the change of each case with its interval, a panel per new result."""

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.errors import Unsupported
from bench.report import numbers, tables
from bench.report.numbers import Unit
from bench.stats import samples
from bench.store import frames
from plots import style

# What plot() takes: the frame of report/comparisons.py's drawn(), one row per case and new result.
FRAME = "comparison"
ROWS = 36  # cases that can be read below each other, and fit in 100 KB
ACROSS = 3  # panels beside each other
CASE = [*frames.CASE, "metric"]
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 25, 50)  # between ticks, in percent
WIDE = (-50, -80, -90, -95, -99, -99.9, 100, 200, 400, 900, 1900, 9900, 99900)  # ticks where no step will do
APART = {1: 0.11, 2: 0.2, 3: 0.28}  # of the axis, by panels beside each other: the width of "+100%"
HOLLOW = "#777777"


def plot(frame: pd.DataFrame) -> Figure:
    """Draw a comparison frame: new / base, logarithmic, labelled as change in percent. Raises Unsupported without any.

    Where there are too many cases, those with the largest significant changes are drawn.
    """
    if not np.isfinite(frame["ratio"]).any():
        raise Unsupported("no case has a change that could be drawn")
    news = list(frame["new_name"].unique())
    bands = -(-len(news) // ACROSS)
    shown, left_out = _choose(frame, ROWS // bands)
    looks = style.looks(shown)
    names = _names(shown)
    height = 1.5 + bands * (0.8 + 0.2 * len(names))
    figure = style.titled(_title(frame, news), _lines(frame, left_out), height=height)
    panels = figure.subplots(bands, min(len(news), ACROSS), squeeze=False)
    limits = _limits(shown)
    for axes in panels.ravel()[len(news) :]:
        axes.remove()
    for axes, new in zip(panels.ravel(), news, strict=False):
        axes.set(xscale="log", xlim=limits, ylim=(len(names) - 0.4, -0.6))
        for _, row in shown[shown["new_name"] == new].iterrows():
            _case(axes, row, looks[row["form"]], alone=len(news) == 1)
        _dress(axes, len(news), numbers.unit(frame))
        if len(news) > 1:
            width = 44 // min(len(news), ACROSS)
            axes.set_title("\n".join(textwrap.wrap(new, width)), size=11, weight="bold", pad=18)
        axes.set_yticks(names.index, names["text"] if axes in panels[:, 0] else [""] * len(names), size=9)
    for axes in panels[:, 0]:
        _mark_headings(axes, names, looks)
    return figure


def _title(frame: pd.DataFrame, news: list[str]) -> str:
    """What changed, and the names of the results where they are short enough."""
    base = _listed(frame, "base_name")
    title = f"Change of the {_listed(frame, 'metric')}"
    named = f"{title}, {news[0] if len(news) == 1 else f'{len(news)} results'} against {base}"
    return named if len(named) <= 64 else f"{title} against base"


def _choose(frame: pd.DataFrame, room: int) -> tuple[pd.DataFrame, int]:
    """The rows of at most `room` cases, with `place`, the row of the plot they are drawn in; how many are left out."""
    size = np.log(frame["ratio"]).abs().replace(np.inf, np.nan).fillna(-1)
    cases = frame[CASE].assign(significant=frame["significant"], size=size)
    cases = cases.groupby(CASE, observed=True, sort=False)[["significant", "size"]].max().reset_index()
    first = cases.sort_values(["significant", "size"], ascending=False, kind="stable").index[:room]
    kept = cases.loc[np.sort(first)].sort_values("form", kind="stable", ignore_index=True)
    kept["place"] = kept.index + kept["form"].ne(kept["form"].shift()).cumsum()  # a heading above each form
    return frame.merge(kept[[*CASE, "place"]], on=CASE), len(cases) - len(kept)


def _names(shown: pd.DataFrame) -> pd.DataFrame:
    """`text` and `form` (empty but for headings) of each row of the plot, by place."""
    varying = ["metric"] if shown["metric"].nunique() > 1 else []
    found = {}
    for form, cases in shown.drop_duplicates("place").groupby("form", observed=True):
        found[int(cases["place"].min()) - 1] = (str(form), str(form))
        for _, row in cases.iterrows():
            text = [_point(row), *(str(row[key]) for key in varying)]
            found[int(row["place"])] = (", ".join(text), "")
    return pd.DataFrame.from_dict(found, orient="index", columns=["text", "form"]).sort_index()


def _point(row: "pd.Series[Any]") -> str:
    return tables.describe(pd.DataFrame([row]))


def _listed(frame: pd.DataFrame, column: str) -> str:
    return ", ".join(map(str, frame[column].unique()))


def _lines(frame: pd.DataFrame, left_out: int) -> list[str]:
    """Unit and direction, what was compared on which machine, what is not shown, and everything that was wrong."""
    sides = [frame[[f"{side}_name", f"{side}_where"]].set_axis(["name", "where"], axis=1) for side in ("base", "new")]
    sides[0]["name"] = [name if name == "base" else f"{name} (base)" for name in sides[0]["name"]]
    machines = pd.concat(sides).drop_duplicates().groupby("where", sort=False)["name"].agg(", ".join)
    unit = numbers.unit(frame)
    bar = "what the boots' ranges allow" if unit.counted else "95% CI"
    if not unit.counted and not frame["enough"].all():
        bar += f" (of fewer than {samples.ENOUGH} boots or processes: range)"
    sure = "beyond what boots differ by" if unit.counted else "significant"
    lines = [
        f"% (new/base - 1 of the medians, {unit.title}), lower is better; filled: {sure}, hollow: not; bar: {bar}",
        *(f"{names}: {where}" for where, names in machines.items()),
        "; ".join([tables.memory(frame), _listed(frame, "cpu")]),
    ]
    if left_out:
        cases = len(frame[CASE].drop_duplicates())
        lines.append(f"left out: {left_out} of {cases} cases, whose change is smaller or not {sure}")
    wrong = _wrong(frame)
    if wrong:
        more = [f"and {len(wrong) - 4} more"] if len(wrong) > 4 else []
        lines.append("wrong pages per interval (ringed where drawn): " + "; ".join([*wrong[:4], *more]))
    return lines


def _wrong(frame: pd.DataFrame) -> list[str]:
    """What was wrong in which case, drawn or not: `scan-wp, random 10%, 100 pages (base -1, patched -1)`."""
    bad = frame[(frame["base_wrong"] != "") | (frame["new_wrong"] != "")]
    found = []
    for _, rows in bad.groupby(CASE, observed=True, sort=False):
        row = rows.iloc[0]
        pages = {row["base_name"]: row["base_wrong"]} | dict(zip(rows["new_name"], rows["new_wrong"], strict=True))
        alike = len(set(pages.values())) == 1
        named = f"{row['base_wrong']} in each" if alike else ", ".join(f"{n} {w}" for n, w in pages.items() if w)
        found.append(f"{row['form']}, {_point(row)} ({named})")
    return found


def _limits(shown: pd.DataFrame) -> tuple[float, float]:
    """Ends of the x axis, as ratios: all points and intervals but far outliers."""
    ratios = shown[["ratio", "low", "high"]].to_numpy(dtype=np.float64)
    logs = np.log(ratios, out=np.full_like(ratios, np.nan), where=ratios > 0)
    far = max(style.reach(logs[:, 0]), style.reach(logs[:, 1:].ravel()))
    ends = np.clip(logs[np.isfinite(logs)], -far, far)
    low, high = 1.08 * min(float(ends.min()), 0), 1.08 * max(float(ends.max()), 0)
    least = max(0.002, 0.3 * max(-low, high))  # room for the words on both sides of "no change"
    return float(np.exp(min(low, -least))), float(np.exp(max(high, least)))


def _case(axes: Any, row: "pd.Series[Any]", look: style.Look, *, alone: bool) -> None:
    """Draw one case: interval and point, an arrow where the point is off the scale, a ring where pages were wrong."""
    ratio, place, significant = float(row["ratio"]), row["place"], bool(row["significant"])
    fill, ink = (look.color, look.ink) if significant else ("white", HOLLOW)
    known = np.isfinite(ratio) and ratio > 0
    at = float(np.clip(ratio, *axes.get_xlim())) if known else 1.0
    off = known and at != ratio
    if known:
        marker = look.marker if not off else "<" if ratio < 1 else ">"
        axes.plot([row["low"], row["high"]], [place, place], color=ink, linewidth=1.5, label="_interval")
        axes.plot(at, place, marker, ms=6, mfc=fill, mec=ink, clip_on=not off, zorder=3, label="_case")
    if row["base_wrong"] or row["new_wrong"]:
        style.ring(axes, at, place)
    text = "?" if not known else numbers.percent(ratio) if significant or off else "~"
    if alone:
        weight = "bold" if significant else "normal"
        where = axes.get_yaxis_transform()
        axes.text(1.15, place, text, transform=where, ha="right", va="center", size=9, weight=weight)
    elif off or not known:
        inwards = {"ha": "right" if ratio > 1 else "left", "xytext": (-9 if ratio > 1 else 9, 0)}
        axes.annotate(text, (at, place), **inwards, textcoords="offset points", va="center", size=8)


def _dress(axes: Any, across: int, unit: Unit) -> None:
    """Mark no change, name the directions, and label the logarithmic axis with changes in percent."""
    axes.axvline(1, color="black", linewidth=1, label="_no change")
    less, what = ("fewer", unit.title) if unit.counted else ("less", "time")
    what = f" {what}" if across < (2 if unit.counted else ACROSS) else ""  # more panels have no room for it
    sides = ((f"\N{LEFTWARDS ARROW} {less}{what}", "right", -4), (f"more{what} \N{RIGHTWARDS ARROW}", "left", 4))
    for text, align, shift in sides:
        place = {"xy": (1, 1), "xycoords": axes.get_xaxis_transform(), "textcoords": "offset points"}
        axes.annotate(text, xytext=(shift, 3), ha=align, va="bottom", size=9, **place)
    axes.minorticks_off()
    ticks = _ticks(axes.get_xlim(), APART[min(across, ACROSS)])
    axes.set_xticks([1 + tick / 100 for tick in ticks], [style.percent(tick) for tick in ticks], size=9)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _ticks(limits: tuple[float, float], apart: float) -> list[float]:
    """Round percentages between two ratios, 0 among them, at least the fraction `apart` of the axis from each other."""
    gap = apart * np.log(limits[1] / limits[0])
    ticks = [0.0]
    for side, limit in zip((-1, 1), limits, strict=True):
        extent = 100 * abs(limit - 1)
        even = ([side * step * i for i in range(1, int(extent / step) + 1)] for step in STEPS if extent / step < 20)
        few = (some for some in even if some and len(_spaced(some, gap)) == len(some))
        wide = _spaced([tick for tick in WIDE if 0 < side * tick <= extent], gap)
        ticks += next(few, wide) if abs(np.log(limit)) < 1 else wide
    return sorted(ticks)


def _spaced(ticks: list[float], gap: float) -> list[float]:
    """Those of some percentages, outwards from 0, that are far enough from the one before on a logarithmic axis."""
    kept = [0.0]
    for tick in ticks:
        needed = gap if kept[1:] else 0.75 * gap  # "0" is short
        if abs(np.log1p(tick / 100) - np.log1p(kept[-1] / 100)) >= needed:
            kept.append(tick)
    return kept[1:]


def _mark_headings(axes: Any, names: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    """Set the forms apart from their cases among the names of the rows."""
    for label, form in zip(axes.get_yticklabels(), names["form"], strict=True):
        if form:
            label.set(weight="bold", color=looks[form].ink, size=11)
