# SPDX-License-Identifier: GPL-2.0-only
"""Results of two architectures, or page sizes, in one table that says what may be compared, and what may not."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report import numbers, tables
from bench.report.layout import grid, note, paragraph
from bench.stats import across
from bench.stats.across import AMOUNT, OF, SHARE, Line
from bench.stats.comparison import Side

_NAMES = {"architecture": "architectures", "page_size": "page sizes"}
_SEPARATE = " atomic"
_ALIKE = "to compare ratios, measure both in one way: run --where vm --accel icount takes every --arch"


def text(sides: Sequence[Side]) -> str:
    """The table, and what it means, for results of which across.unlike() says something. Raises BadInput."""
    rows = across.point(sides)
    what = " and ".join(_NAMES[fact] for fact in across.unlike(sides))
    forms = across.forms(sides)
    body: list[list[str]] = []
    unfit: dict[str, dict[str, None]] = {}  # why, and what
    for form in forms:
        some = list(across.lines(sides, form))
        if form.removesuffix(_SEPARATE) != form and form.removesuffix(_SEPARATE) in forms:
            some.append(across.atomic(sides, form, form.removesuffix(_SEPARATE)))
        body += [[form], *(_row(sides, line) for line in some)]
        for line in some:
            unfit.setdefault(line.why, {})[line.what] = None
    one = rows.iloc[0]
    lacking: dict[str, list[str]] = {}  # what is not measured, and where
    for side in sides:
        for form, why in side.result.unavailable.items():
            lacking.setdefault(f"{form}: {why}", []).append(side.name)
    heads = _heads([side.name for side in sides])
    return "\n".join(
        [
            paragraph(
                f"These results are of different {what}, and so are their instructions, pages and seconds. Compared "
                "are ratios of two numbers of one side"
                + (f"; here not even those: {across.OTHERWISE}." if across.OTHERWISE in unfit else ".")
            ),
            "",
            *(
                paragraph(f"{called}: {_machine(side)}, {tables.where(side.rows)}", hang="    ")
                for called, side in zip(_told(sides, heads), sides, strict=True)
            ),
            "",
            paragraph(f"{tables.series(one)}, {one.pages} pages, where no other size is named"),
            grid([["", *heads, "compare?"]], body),
            note("wrong intervals: of all points; cost = all phases less the untracked writes; of medians"),
            *(note(f"no: {why}: {', '.join(names)}") for why, names in unfit.items() if why),
            *([note(_ALIKE)] if across.OTHERWISE in unfit else []),
            *(paragraph(f"Not measured on {', '.join(names)}: {line}.", hang="  ") for line, names in lacking.items()),
        ]
    )


def _heads(names: Sequence[str]) -> list[str]:
    """Heads of columns: the names of the results, or letters where those would leave no room for the first column."""
    room = 32 - len(names)  # beside the longest name of a quantity, the last column, and bars
    if sum(max(len(name), len("0 of 10000")) for name in names) <= room:
        return list(names)
    return [chr(ord("A") + i) for i in range(len(names))]


def _told(sides: Sequence[Side], heads: Sequence[str]) -> list[str]:
    """What each side is called where it is described."""
    return [head if head == side.name else f"{head} = {side.name}" for head, side in zip(heads, sides, strict=True)]


def _machine(side: Side) -> str:
    host = side.result.host
    return f"{host['architecture']}, pages of {int(host['page_size']) >> 10} KiB"


def _row(sides: Sequence[Side], line: Line) -> list[str]:
    cells = []
    for side, value in zip(sides, line.values, strict=True):
        if line.written == OF:
            part, whole = value  # type: ignore[misc]
            cells.append(f"{part} of {whole}")
        elif line.written == SHARE:
            cells.append(f"{100 * value:.0f}%")
        elif line.written == AMOUNT:
            cells.append(numbers.amount(value, numbers.unit(side.rows)))  # type: ignore[arg-type]
        else:
            cells.append(numbers.times(value))  # type: ignore[arg-type]
    return [f"  {line.what}", *cells, "no" if line.why else "yes"]
