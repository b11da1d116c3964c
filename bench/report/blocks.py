# SPDX-License-Identifier: GPL-2.0-only
"""What goes into a cover letter: one result's headline, or base against patched."""

from collections.abc import Sequence
from pathlib import Path

from bench.errors import BadInput
from bench.report import changes, comparisons, functions, numbers, origin, pages, sentences
from bench.report.layout import note, paragraph
from bench.report.numbers import many
from bench.stats import across, comparison, samples
from bench.stats.comparison import Comparison
from bench.stats.ledger import Change
from bench.store import frames, verdicts
from bench.store.frames import CASE

LINES = 10  # of functions
NAMED = 3  # functions of a change


def block(folders: list[Path], *, metric: str = "cost", pattern: str = "*", everything: bool = False) -> str:
    """Return the block, without its markers. everything: every case instead of the representative ones.

    metric, pattern: of several results, as compare() takes them. Of results of the suite meaning it is what changed.
    """
    if all(map(verdicts.holds, folders)):
        if (metric, pattern, everything) != ("cost", "*", False):
            raise BadInput("--metric, --filter and --all choose among times", "leave them out for verdicts")
        return pages.meant_short([verdicts.load(folder) for folder in folders])
    if len(folders) == 1:
        if (metric, pattern, everything) != ("cost", "*", False):
            raise BadInput("--metric, --filter and --all choose among cases of several results", "give a base, too")
        return pages.short(pages.read(folders[0]))
    sides = comparison.load(folders)
    across.refuse(sides)
    found = comparison.compare(sides, metric=metric, pattern=pattern)
    base = found.sides[0]
    parts: list[str | list[str]] = [paragraph(line, hang="  ") for line in _opening(found)]
    shown = found.frame if everything else comparisons.representative(found)
    parts += [comparisons.legend(found), comparisons.table(found, shown), comparisons.notes(found, "change")]
    cases = [len(frame[CASE].drop_duplicates()) for frame in (shown, found.frame)]
    if cases[0] < cases[1]:
        of = "the same for every result of this suite, then means of all and the extremes"
        parts.append(note(f"{cases[0]} of {cases[1]} cases: {of}"))
    if samples.exact(*(one.rows for one in sides)):
        parts.append(_by_function(functions.accounted(folders, sides, pattern)))
    short = origin.machine(base.result.host, origin.SHORT - {"version", "config"})
    repeat = origin.repeat(*(one.result.host for one in found.sides), names=[one.name for one in found.sides])
    return pages.joined([*parts, short, repeat])


def _opening(found: Comparison) -> list[str]:
    """Sentences: which boots fell, what was wrong, the verdict, what else is to be known."""
    base = found.sides[0]
    fallen = [line for one in found.sides for line in sentences.fallen(one.result.fallen, one.name)]
    wrong = [line for one in found.sides for line in sentences.wrong(one.rows, one.result, one.name)]
    checked = sum(int(frames.exactness(one.rows)["intervals"].sum()) for one in found.sides)
    exact = f"Checked page by page: {checked} intervals, {'all exact' if not wrong else 'not all exact, see above'}."
    known = [*changes.warnings(found), exact, *sentences.floor(base.whole, base.result), *sentences.caveat(base.rows)]
    return [*fallen, *wrong, changes.verdict(found), *known]


def _by_function(changes: Sequence[Change]) -> list[str]:
    """Return the changes in at most LINES lines of a mail, the largest first; forms that share one are together."""
    if not changes:
        return []
    groups = sorted(functions.grouped(changes), key=lambda some: -_relative(some[0]))
    points = list(dict.fromkeys(functions.point(some[0].base.case) for some in groups))
    at = points[0] if len(points) == 1 else "one case of each"
    lines = paragraph(f"By kernel function, instructions an interval ({at}):").split("\n")
    for i, some in enumerate(groups):
        more = paragraph(_sentence(some), hang="  ").split("\n")
        left = len(groups) - i - 1
        if len(lines) + len(more) + bool(left) > LINES:
            lines.append(f"  and {many(left + 1, 'smaller change')}: ./bench.py functions BASE NEW")
            break
        lines += more
    return lines


def _relative(one: Change) -> float:
    """How far a phase is from what it was, either way."""
    ends = sorted([max(one.base.total, 1.0), max(one.new.total, 1.0)])
    return ends[1] / ends[0]


def _sentence(some: Sequence[Change]) -> str:
    """One change in words: whose, how much, its largest functions, and the others."""
    one = some[0]
    every = one.functions["change"].abs().sum()
    shown = one.functions[one.functions["change"].abs() >= 0.05 * every].head(NAMED)
    parts = [
        f"{name} {functions.signed_count(change)}{f' ({how})' if how else ''}"
        for name, change, how in shown[["function", "change", "how"]].itertuples(index=False)
    ]
    rest = one.total - float(shown["change"].sum())
    parts += [f"other {functions.signed_count(rest)}"] if rest else []
    ratio = f" ({numbers.percent(one.new.total / one.base.total)})" if one.base.total else ""
    forms = ", ".join(same.base.case.form for same in some)
    return f"{forms} {one.base.phase} {functions.signed_count(one.total)}{ratio}: {', '.join(parts)}"
