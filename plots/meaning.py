# SPDX-License-Identifier: GPL-2.0-only
"""What each interface made of each scenario, by theme: exact, extra, missed ...; a column for each kernel."""

from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from bench.errors import Unsupported
from bench.plan.interfaces import ACCESSED, INTERFACES, WRITTEN
from bench.plan.records import ENDINGS, REFUSED
from bench.report import numbers, tables, verdict_tables
from bench.store.verdicts import EXACT, HERE, LACKS, NOT_POSSIBLE, UNFIT
from plots import style

FRAME = "meaning"  # what plot() takes: see __init__.py


class Mark(NamedTuple):
    """How a verdict looks: told apart by lightness, by sign and by colour, each alone enough."""

    fill: str
    sign: str
    ink: str
    hatch: str = ""


MARKS = {
    "exact": Mark("#D6ECF9", "", "black"),
    "extra": Mark("#E69F00", "+", "black"),
    "missed": Mark("#7A2E00", "-", "white"),
    "extra, documented": Mark("#F6E3BC", "(+)", "black"),
    "missed, documented": Mark("#BF957D", "(-)", "black"),
    "breaks": Mark("#5A5A5A", "E", "white"),
    "failed": Mark("#000000", "!", "white"),
    "hung": Mark("#000000", "H", "white"),
    "crashed": Mark("#000000", "X", "white"),
    REFUSED: Mark("#EFEFEF", "R", "black"),
    UNFIT: Mark("#FFFFFF", "", "black"),
    HERE: Mark("#FFFFFF", "", "black", "////"),
}
# What a cell compares with, by property: the pages, and what was done to them.
TRUTHS = {WRITTEN: ("whose content changed", "wrote", "written"), ACCESSED: ("that were accessed", *2 * ("accessed",))}
ROW = 21  # pixels, whole ones: rows that are alike are so to a PNG, too, which is a third as large then
KEYS = 3  # side by side below the matrix
GAP = 0.35  # columns, between two interfaces
NARROW = 24  # columns, from which on they are too narrow for three signs
THEME = 24 / ROW  # rows that the name of a theme takes


def plot(frame: pd.DataFrame) -> Figure:
    """Draw the verdicts of report/meaning.py's frame() as a matrix. Raises Unsupported where nothing was played."""
    played = frame.groupby(["interface", "column"])["plays"].transform("max") > 0
    frame = frame[played & (frame["shown"] == 1)]  # others would be empty from top to bottom
    if frame.empty:
        raise Unsupported("no interface could be played with")
    several = frame["column"].nunique() > 1
    exact = (frame["verdict"] == EXACT) | frame["no"].isin((UNFIT, LACKS))
    plain = exact.groupby(frame["scenario"]).transform("min").astype(bool)
    left_out = 0 if plain.all() else frame.loc[plain, "scenario"].nunique()
    frame = frame[~plain] if left_out else frame
    rows, themes = _rows(frame)
    height = max(rows.values()) + 1
    lines = [_legend(frame, left_out, counts=not several), _machines(frame)]
    seen = set(map(mark_of, frame.itertuples()))
    keys = [key(name) for name in MARKS if name in seen]
    heads = 0.07 * frame["column"].str.len().max() - 0.15 if several else 0
    around = 1.77 + heads + 0.21 * -(-len(keys) // KEYS)  # inches: titles, names of columns, keys
    inches = around + ROW * height / style.RC["figure.dpi"]
    figure = style.titled(f"Pages reported against pages {_truths(frame)[2]}", lines, height=inches)
    axes = figure.subplots()
    places = _places(frame)
    for row in frame.itertuples():
        x = places[str(row.interface), str(row.column)]
        _cell(axes, x, rows[str(row.scenario)], row, counts=not several, narrow=len(places) > NARROW)
    axes.set(xlim=(-0.05, max(places.values()) + 1.05), ylim=(height, 0))
    axes.set_yticks([y + 0.5 for y in rows.values()], list(rows), size=8)
    for theme, y in themes.items():
        axes.text(-0.05, y + 0.62, theme, size=8, weight="bold", va="center", color=style.MUTED)
    _heads(axes, places, several=several)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    figure.legend(handles=keys, loc="outside lower center", ncols=KEYS, frameon=False, fontsize=9)
    _align(figure, axes, ROW * height)
    return figure


def _align(figure: Figure, axes: Any, height: float) -> None:
    """Lay the figure out, then give the axes this height in pixels, and a top between two of them."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    pixels = figure.dpi * figure.get_figheight()
    left, bottom, width, old = axes.get_position().bounds
    top = round((bottom + old) * pixels)
    axes.set_position((left, (top - height) / pixels, width, height / pixels))


def _rows(frame: pd.DataFrame) -> tuple[dict[str, float], dict[str, float]]:
    """Upper edge of each scenario, and of the name of each theme above its own."""
    rows: dict[str, float] = {}
    themes: dict[str, float] = {}
    y = 0.0
    for theme, scenarios in verdict_tables.themed(frame["scenario"].unique()).items():
        themes[theme] = y
        y += THEME
        for scenario in scenarios:
            rows[scenario] = y
            y += 1
    return rows, themes


def _legend(frame: pd.DataFrame, left_out: int, *, counts: bool) -> str:
    """What a cell says, and how many scenarios are not drawn."""
    truth, did, done = _truths(frame)
    text = (
        f"every cell: the worst of {numbers.many(int(frame['plays'].max()), 'play')}; exact: just the pages "
        f"{truth}; extra: pages that nobody {did}, too; missed: not all that were {done}"
    )
    unsteady = counts and bool(frame["text"].str.endswith("~").any())
    rest = f"; not drawn: {numbers.many(left_out, 'scenario')} without another verdict than exact" * bool(left_out)
    return f"{text}{'; numbers: pages' * counts}{'; ~: not every time' * unsteady}{rest}"


def _truths(frame: pd.DataFrame) -> tuple[str, str, str]:
    """The words of TRUTHS: of what is written, where anything reports that."""
    found = set(map(verdict_tables.prop, frame["interface"]))
    return TRUTHS[WRITTEN if WRITTEN in found else ACCESSED]


def _machines(frame: pd.DataFrame) -> str:
    """The kernels, by who built them and kind of machine: Debian's Linux 6.1.176, 6.12.117, TCG emulation; ..."""
    kinds = frame.drop_duplicates(["column", "where"]).groupby(["distribution", "where"], sort=False)
    said = []
    for (distribution, where), some in kinds:
        known = pd.DataFrame([{"where": where, "kernel_release": ", ".join(some["column"])}])
        said.append(f"{distribution}'s " * bool(distribution) + tables.where(known))
    return "; ".join(said)


def _places(frame: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Left edge of each column, by interface and kernel; those of one interface stand together."""
    columns = frame[["interface", "column"]].drop_duplicates()
    names = list(columns["interface"].unique())
    names.sort(key=lambda name: [*INTERFACES, name].index(name))
    found: dict[tuple[str, str], float] = {}
    for i, interface in enumerate(names):
        for kernel in columns.loc[columns["interface"] == interface, "column"]:
            found[interface, kernel] = len(found) + GAP * i
    return found


def _heads(axes: Any, places: dict[tuple[str, str], float], *, several: bool) -> None:
    """Name the columns: the interface, or the kernel, with the interface above and below all of its own."""
    names = [kernel if several else _lines(interface) for interface, kernel in places]
    at = [place + 0.5 for place in places.values()]
    axes.set_xticks(at, names, rotation=90 if several else 0, size=8 if several else 9)
    axes.xaxis.tick_top()
    for name in dict.fromkeys(interface for interface, _ in places) if several else ():
        own = [place for (interface, _), place in places.items() if interface == name]
        below = {"xytext": (0, -5), "textcoords": "offset points", "xycoords": axes.get_xaxis_transform()}
        look = {"ha": "center", "va": "top", "size": 8, "weight": "bold"}
        axes.annotate(_lines(name), (sum(own) / len(own) + 0.5, 0), **look, **below)


def _lines(name: str) -> str:
    return "\n".join(filter(None, verdict_tables.split(name)))


def mark_of(row: Any) -> str:
    """Which mark a verdict has."""
    if row.verdict == NOT_POSSIBLE:
        return str(row.no) if row.no in MARKS else HERE
    documented = MARKS[row.verdict].sign and not row.breaks_contract and row.verdict not in ENDINGS
    return f"{row.verdict}, documented" if documented else str(row.verdict)


def _cell(axes: Any, x: float, y: float, row: Any, *, counts: bool, narrow: bool) -> None:
    """One verdict; with its pages where there is room for them, without parentheses where there is none for those."""
    mark = MARKS[mark_of(row)]
    look: dict[str, Any] = {"facecolor": mark.fill, "hatch": mark.hatch, "edgecolor": "#999999", "linewidth": 0}
    axes.add_patch(Rectangle((x + 0.04, y + 0.06), 0.92, 0.88, **look))
    if mark.sign:
        text = {
            "antialiased": counts,
            "ha": "center",
            "va": "center",
            "color": mark.ink,
            "size": 9 if counts else 7,
            "weight": "bold",
        }
        sign = mark.sign.strip("()") if narrow else mark.sign
        axes.text(x + 0.5, y + 0.52, row.text if counts and not row.no else sign, **text)


def key(name: str) -> Patch:
    """Return what a legend shows of a mark."""
    mark = MARKS[name]
    label = f"{mark.sign} {name}".strip()
    return Patch(facecolor=mark.fill, hatch=mark.hatch, edgecolor="#999999", linewidth=0.5, label=label)
