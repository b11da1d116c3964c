# SPDX-License-Identifier: GPL-2.0-only
"""How every plot looks: colours, lines, hatches, titles. Distinguishable colour-blind, in grey and at 600 pixels."""

import textwrap
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from bench import tables

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


# Okabe and Ito's colours, in an order whose lightness differs too
_LOOKS = {
    "clear_refs": Look("#D55E00", "-", "o", "#B34F00"),
    "scan-softdirty": Look("#E69F00", "--", "^", "#946600"),
    "scan-wp": Look("#56B4E9", "-.", "s", "#1F7FB8"),
    "scan-wp atomic": Look("#0072B2", "-", "D", "#00517F"),
}
_SPARE = (
    Look("#009E73", ":", "v", "#007353"),
    Look("#CC79A7", "--", "P", "#A2407A"),
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
    """Return an empty figure 7.2 inches wide with its titles: what, unit and direction, then machine and kernel."""
    first = rows.iloc[0]
    made = Figure(figsize=(7.2, height))
    memory = f"{tables.memory(rows)}; {tables.where(rows)}"
    lines = [line for text in (details, memory, str(first["cpu"])) for line in textwrap.wrap(text, 96)]
    top = 0.42 + 0.18 * len(lines)  # inches
    made.text(0.1 / 7.2, 1 - 0.1 / height, title, va="top", weight="bold", size=13)
    made.text(0.1 / 7.2, 1 - 0.38 / height, "\n".join(lines), va="top", size=9, color=MUTED, linespacing=1.25)
    made.set_layout_engine("constrained", rect=(0.01, 0.01, 0.98, 0.99 - top / height))
    return made
