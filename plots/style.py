# SPDX-License-Identifier: GPL-2.0-only
"""How every plot looks: colours, lines, hatches, titles. Distinguishable colour-blind, in grey and at 600 pixels."""

import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from bench.errors import Unsupported
from bench.plan.interfaces import INTERFACES, form
from bench.report import numbers, tables
from bench.report.numbers import Unit
from bench.store import frames

WIDTH = 7.2  # inches of every figure: 900 pixels

RC: Any = {
    "figure.dpi": 125,
    "savefig.dpi": 125,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "font.size": 11,
    "text.parse_math": False,  # a name may hold a dollar sign, and be no formula
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


# One for each form, in the order of the table of interfaces: a row added at its end gets the next one, and no other
# changes. Okabe and Ito's colours, in an order whose lightness differs too. The fifth and sixth form repeat those of
# the third and fourth: an ioctl of the same kind, which no kernel has beside it.
LOOKS = (
    Look("#D55E00", "-", "o", "#B34F00"),
    Look("#E69F00", "--", "^", "#946600"),
    Look("#56B4E9", "-.", "s", "#1F7FB8"),
    Look("#0072B2", "-", "D", "#00517F"),
    Look("#56B4E9", "--", "<", "#1F7FB8"),
    Look("#0072B2", "--", ">", "#00517F"),
    Look("#E69F00", "-.", "h", "#946600"),
    Look("#946600", "-", "p", "#946600"),
    Look("#009E73", ":", "v", "#007353"),
    Look("#CC79A7", "--", "P", "#A2407A"),
    Look("#000000", "-.", "X", "#000000"),
    Look("#999999", ":", "*", "#666666"),
    Look("#009E73", "-", "8", "#007353"),
    Look("#CC79A7", "-.", "d", "#A2407A"),
    Look("#000000", "--", "H", "#000000"),
    Look("#999999", "-.", "4", "#666666"),
    Look("#E69F00", ":", "<", "#946600"),
    Look("#56B4E9", ":", "D", "#1F7FB8"),
    Look("#D55E00", "-.", "o", "#B34F00"),
    Look("#D55E00", "--", "s", "#B34F00"),
)
_KNOWN = tuple(
    form(row.name, atomic) for row in INTERFACES.values() if row.tracks and not row.path_of for atomic in row.forms
)


@contextmanager
def applied() -> Iterator[None]:
    """Context in which a figure must be made and saved to look and be reproducible as intended."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever a file of the folder where we are says
        matplotlib.rcParams.update(RC)
        yield


def looks(rows: pd.DataFrame) -> dict[str, Look]:
    """The look of each form in rows, in their order; of those in no table of this version after the others'."""
    drawn = [one for one in rows["form"].cat.categories if (rows["form"] == one).any()]
    order = [*_KNOWN, *(one for one in drawn if one not in _KNOWN)]
    return {one: LOOKS[order.index(one) % len(LOOKS)] for one in drawn}


def figure(rows: pd.DataFrame, title: str, details: str, *, height: float = 4.8) -> Figure:
    """Return an empty figure with its titles: what, unit and direction, then memory, machine and kernel of rows."""
    first = rows.iloc[0]
    return titled(title, [details, f"{tables.memory(rows)}; {tables.where(rows)}", str(first["cpu"])], height=height)


def titled(title: str, lines: Iterable[str], *, height: float) -> Figure:
    """Return an empty figure 7.2 inches wide and `height` high, with a title and smaller lines below it."""
    made = Figure(figsize=(WIDTH, height))
    wrapped = [line for text in lines for line in _wrapped(text)]
    most = max(3, int((height / 2 - 0.47) / 0.163))  # half of the figure is the plot's, however long names are
    if len(wrapped) > most:
        wrapped[most - 1 :] = [f"{wrapped[most - 1][:95]} [...]"]
    top = 0.47 + 0.163 * len(wrapped)  # inches
    made.text(0.1 / WIDTH, 1 - 0.1 / height, title, va="top", weight="bold", size=13)
    small: dict[str, Any] = {"size": 9, "color": MUTED, "linespacing": 1.25}
    made.text(0.1 / WIDTH, 1 - 0.38 / height, "\n".join(wrapped), va="top", **small)
    made.set_layout_engine("constrained", rect=(0.01, 0.01, 0.98, 0.99 - top / height))
    return made


def _wrapped(text: str) -> list[str]:
    """Text in lines of at most 101 characters, broken after a semicolon where there is one."""
    lines = [""]
    for part in text.split("; "):
        joined = f"{lines[-1]}; {part}" if lines[-1] else part
        lines[-1:] = [joined] if len(joined) <= 101 else [f"{lines[-1]};" if lines[-1] else "", part]
    return [line for some in filter(None, lines) for line in textwrap.wrap(some, 101, break_on_hyphens=False)]


def cost(rows: pd.DataFrame) -> str:
    """What an axis of costs shows, for the lines below a title: unit, what is left out, direction."""
    return f"{numbers.unit(rows).title}, untracked {numbers.doings(rows)} deducted, lower is better"


def lost(median: "pd.Series[float]", name: Callable[[Any], str]) -> str:
    """Say, for the lines below a title, which costs a logarithmic axis can't show: those that noise made negative.

    median: indexed by form and what is along the axis; name: how that is written. Raises Unsupported if it is all.
    """
    gone = [f"{form} at {name(x)}" for form, x in median.index[median <= 0]]
    if len(gone) == len(median):
        raise Unsupported("every cost is lost in noise")
    return f"; lost in noise: {', '.join(gone)}" if gone else ""


def label_ends(axes: Any, ends: list[tuple[float, float, str, str]]) -> None:
    """Name each line at its right end: (y, x, name, ink), pushed apart where they would overlap."""
    scale = axes.yaxis.get_transform()  # logarithm or not: what is far apart is so on the screen
    low, high = scale.transform(np.array(axes.get_ylim()))
    ends = sorted(ends)
    own = np.clip((scale.transform(np.array([y for y, *_ in ends])) - low) / (high - low), 0, 1)
    steps = 0.06 * np.arange(len(own))
    at = np.maximum.accumulate(own - steps) + steps
    at -= np.mean(at - own)  # up and down alike
    for (y, x, name, ink), place in zip(ends, at, strict=True):
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


def ticks(axis: Any, unit: Unit) -> None:
    """Label an axis in plain numbers of a unit; a logarithmic one at powers of ten, and 2 and 5 times them if few."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: numbers.tick(value, unit)))
    if axis.get_scale() == "log":
        low, high = axis.get_view_interval()
        axis.set_major_locator(LogLocator(subs=(1,) if high / low > 1000 else (1, 2, 5)))
        axis.set_minor_locator(NullLocator())


def size_ticks(axes: Any, sizes: Iterable[int], panels: int = 1) -> None:
    """Label a logarithmic x axis with the sizes that were measured, leaving out those that would run into another.

    panels: that stand side by side.
    """
    known = sorted(set(sizes), reverse=True)
    ends = np.log([known[-1], known[0]])
    kept: list[int] = []
    for size in known:
        if not kept or np.log(kept[-1] / size) >= 0.13 * panels * (ends[1] - ends[0]) * (len(f"{kept[-1]:,}") / 7):
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

    some: frames.intervals()' rows of the form; line: y of each x, its index named after the column that is x; name:
    how an x is written.
    """
    counts = frames.exactness(some)
    found = []
    for _, row in counts[counts["wrong_intervals"] > 0].iterrows():
        x = row[str(line.index.name)]
        if x in line.index:
            ring(axes, x, line[x])
        pages = numbers.wrong(row["extra"] / row["intervals"], row["missed"] / row["intervals"])
        found.append(f"{row['form']}, {name(x)}: {pages}")
    return found


def list_wrong(axes: Any, found: list[str]) -> None:
    """List what ring_wrong() returned in the corner that rising lines leave free."""
    if found:
        lines = ["ringed: wrong pages per interval", *found[:5], *(["..."] if len(found) > 5 else [])]
        axes.text(0.02, 0.98, "\n".join(lines), transform=axes.transAxes, va="top", size=10)


def wrong(rows: pd.DataFrame) -> str:
    """What was wrong in rows of frames.intervals(), per interval: `wrong: +32 pages`; empty if nothing was."""
    counts = frames.exactness(rows)[["intervals", "extra", "missed"]].sum()
    pages = numbers.wrong(counts["extra"] / counts["intervals"], counts["missed"] / counts["intervals"])
    return f"wrong: {pages} pages" if pages else ""


def reach(values: NDArray[np.float64]) -> float:
    """How far from 0 an axis must go to show float64[n] well. Leaves out what lies far beyond the rest."""
    far = np.abs(values[np.isfinite(values)])
    usual, most = (float(np.quantile(far, q)) for q in (0.75, 1)) if len(far) else (0.0, 0.0)
    return 1.1 * (2.5 * usual if 0 < 4 * usual < most else most)


def percent(value: float) -> str:
    """A change as axes and notes show it: +25%, 0, -0.05%."""
    return f"{value:+.3g}%" if value else "0"


def columns(names: Iterable[str]) -> int:
    """How many columns a legend below the axes has room for."""
    return max(1, min(4, 88 // (max(map(len, names)) + 8)))


def name_rows(axes: Any, looks: dict[str, Look]) -> None:
    """Name the rows 0, 1, ... of an axis after the forms, each in its ink."""
    axes.set_yticks(range(len(looks)), list(looks), weight="bold")
    for label, look in zip(axes.get_yticklabels(), looks.values(), strict=True):
        label.set_color(look.ink)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
