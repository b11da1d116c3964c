# SPDX-License-Identifier: GPL-2.0-only
"""How every plot looks: colours, lines, hatches, titles. Distinguishable colour-blind, in grey and at 600 pixels."""

import textwrap
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from bench import results, tables

WIDTH = 7.2  # inches of every figure: 900 pixels

RC: Any = {
    "figure.dpi": 125,
    "savefig.dpi": 125,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "svg.fonttype": "none",  # text stays text: searchable, and small
    "svg.hashsalt": "pagemap-bench",  # the same data gives the same bytes
}
MUTED = "#555555"


class Look(NamedTuple):
    """How one form of an interface is drawn; `ink` is its colour dark enough for text."""

    color: str
    line: str
    marker: str
    ink: str


# Okabe and Ito's colours, in an order whose lightness differs too; v6 has those of the ABI that no kernel has beside it
_LOOKS = {
    "clear_refs": Look("#D55E00", "-", "o", "#B34F00"),
    "scan-softdirty": Look("#E69F00", "--", "^", "#946600"),
    "scan-wp": Look("#56B4E9", "-.", "s", "#1F7FB8"),
    "scan-wp atomic": Look("#0072B2", "-", "D", "#00517F"),
    "v6": Look("#56B4E9", "--", "<", "#1F7FB8"),
    "v6 atomic": Look("#0072B2", "--", ">", "#00517F"),
    "v6-no-reused": Look("#E69F00", "-.", "h", "#946600"),
    "v6-no-reused atomic": Look("#946600", "-", "p", "#946600"),
    "uffd-sync": Look("#009E73", ":", "v", "#007353"),
    "mprotect": Look("#CC79A7", "--", "P", "#A2407A"),
}
_SPARE = (
    Look("#000000", "-.", "X", "#000000"),
    Look("#999999", ":", "*", "#666666"),
)


def applied() -> AbstractContextManager[None]:
    """Context in which a figure must be made and saved to look and be reproducible as intended."""
    context: AbstractContextManager[None] = matplotlib.rc_context(RC)
    return context


def looks(rows: pd.DataFrame) -> dict[str, Look]:
    """The look of each form in rows, in their order."""
    forms = [form for form in rows["form"].cat.categories if (rows["form"] == form).any()]
    spare = iter(_SPARE * len(forms))
    return {form: _LOOKS.get(form) or next(spare) for form in forms}


def figure(rows: pd.DataFrame, title: str, details: str, *, height: float = 4.8) -> Figure:
    """Return an empty figure with its titles: what, unit and direction, then memory, machine and kernel of rows."""
    first = rows.iloc[0]
    return titled(title, [details, f"{tables.memory(rows)}; {tables.where(rows)}", str(first["cpu"])], height=height)


def titled(title: str, lines: Iterable[str], *, height: float) -> Figure:
    """Return an empty figure 7.2 inches wide and `height` high, with a title and smaller lines below it."""
    made = Figure(figsize=(WIDTH, height))
    wrapped = [line for text in lines for line in textwrap.wrap(text, 101, break_on_hyphens=False)]
    top = 0.47 + 0.163 * len(wrapped)  # inches
    # no maths: a kernel's or CPU's name may hold a dollar sign
    made.text(0.1 / WIDTH, 1 - 0.1 / height, title, va="top", weight="bold", size=13, parse_math=False)
    small: dict[str, Any] = {"size": 9, "color": MUTED, "linespacing": 1.25, "parse_math": False}
    made.text(0.1 / WIDTH, 1 - 0.38 / height, "\n".join(wrapped), va="top", **small)
    made.set_layout_engine("constrained", rect=(0.01, 0.01, 0.98, 0.99 - top / height))
    return made


def label_ends(axes: Any, x: float, ends: list[tuple[float, str, str]]) -> None:
    """Name each line at its right end: (y, name, ink), pushed apart where they would overlap."""
    scale = axes.yaxis.get_transform()  # logarithm or not: what is far apart is so on the screen
    low, high = scale.transform(np.array(axes.get_ylim()))
    ends = sorted(ends)
    own = np.clip((scale.transform(np.array([y for y, _, _ in ends])) - low) / (high - low), 0, 1)
    steps = 0.06 * np.arange(len(own))
    at = np.maximum.accumulate(own - steps) + steps
    at -= np.mean(at - own)  # up and down alike
    for (y, name, ink), place in zip(ends, at, strict=True):
        axes.annotate(
            name,
            (x, y),
            xytext=(1.04, place),
            textcoords=axes.transAxes,
            color=ink,
            va="center",
            weight="bold",
            arrowprops={"arrowstyle": "-", "color": ink, "lw": 0.8, "shrinkA": 0, "shrinkB": 3, "relpos": (0, 0.5)},
            annotation_clip=False,
        )


def log_ticks(axes: Any) -> None:
    """Label a logarithmic y axis in plain numbers: the powers of ten, and 2 and 5 times them where there are few."""
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1,) if high / low > 1000 else (1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,g}"))
    axes.minorticks_off()


def size_ticks(axes: Any, sizes: Iterable[int]) -> None:
    """Label a logarithmic x axis with the sizes that were measured, leaving out those that would run into another."""
    known = sorted(set(sizes), reverse=True)
    ends = np.log([known[-1], known[0]])
    kept: list[int] = []
    for size in known:
        if not kept or np.log(kept[-1] / size) >= 0.13 * (ends[1] - ends[0]) * (len(f"{kept[-1]:,}") / 7):
            kept.append(size)
    axes.set_xticks(kept)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.xaxis.set_minor_locator(FixedLocator(known))
    axes.xaxis.set_minor_formatter(NullFormatter())


def ring(axes: Any, x: float, y: float) -> None:
    """Ring one point: something was wrong there."""
    axes.plot(x, y, "o", ms=15, mfc="none", mec="black", mew=1.5, label="_wrong", clip_on=False, zorder=4)


def ring_wrong(axes: Any, some: pd.DataFrame, line: "pd.Series[float]", name: Callable[[Any], str]) -> list[str]:
    """Ring the points of one form's line where not every interval was exact; return what was wrong there.

    some: results.intervals()' rows of the form; line: y of each x, its index named after the column that is x; name:
    how an x is written.
    """
    counts = results.exactness(some)
    found = []
    for _, row in counts[counts["wrong_intervals"] > 0].iterrows():
        x = row[str(line.index.name)]
        ring(axes, x, line[x])
        pages = tables.wrong(row["extra"] / row["intervals"], row["missed"] / row["intervals"])
        found.append(f"{row['form']}, {name(x)}: {pages}")
    return found


def list_wrong(axes: Any, found: list[str]) -> None:
    """List what ring_wrong() returned in the corner that rising lines leave free."""
    if found:
        lines = ["ringed: wrong pages per interval", *found[:5], *(["..."] if len(found) > 5 else [])]
        axes.text(0.02, 0.98, "\n".join(lines), transform=axes.transAxes, va="top", size=10)


def wrong(rows: pd.DataFrame) -> str:
    """What was wrong in rows of results.intervals(), per interval: `wrong: +32 pages`; empty if nothing was."""
    counts = results.exactness(rows)[["intervals", "extra", "missed"]].sum()
    pages = tables.wrong(counts["extra"] / counts["intervals"], counts["missed"] / counts["intervals"])
    return f"wrong: {pages} pages" if pages else ""


def reach(values: NDArray[np.float64]) -> float:
    """How far from 0 an axis must go to show float64[n] well. Leaves out what lies far beyond the rest."""
    far = np.abs(values[np.isfinite(values)])
    usual, most = (float(np.quantile(far, q)) for q in (0.75, 1)) if len(far) else (0.0, 0.0)
    return 1.1 * (2.5 * usual if 0 < 4 * usual < most else most)


def percent(value: float) -> str:
    """A change as axes and notes show it: +25%, 0, -0.05%."""
    return f"{value:+.3g}%" if value else "0"


def name_rows(axes: Any, looks: dict[str, Look]) -> None:
    """Name the rows 0, 1, ... of an axis after the forms, each in its ink."""
    axes.set_yticks(range(len(looks)), list(looks), weight="bold")
    for label, look in zip(axes.get_yticklabels(), looks.values(), strict=True):
        label.set_color(look.ink)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
