# SPDX-License-Identifier: GPL-2.0-only
"""The function ledger as text, CSV and frames of plots: where the instructions of a phase go, and what changed them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from bench.errors import BadInput
from bench.plan.points import matches
from bench.plan.records import INSTRUCTIONS, PHASES
from bench.report import numbers, tables
from bench.report.layout import grid, note, paragraph
from bench.report.numbers import many
from bench.stats import ledger
from bench.stats.comparison import Side, case_name
from bench.stats.ledger import Account, Case, Change
from bench.store import ledger as store
from bench.store.frames import CASE, KERNEL
from bench.store.ledger import Ledger

PLACE = 26  # characters of a place in the source
LABEL = 31  # characters of a function and what became of it
ROWS = 20  # functions of a table; the rest is one line
LEAST = 0.01  # of all instructions, or of all changes: what is less is in the last line
ALIKE = 0.02  # changes of several forms that differ by less are shown as one
USER = "user space"
INSTRUCTION_COUNTERS = (store.USER, KERNEL, store.FOREIGN)


class Section(NamedTuple):
    """A table, as text and HTML show it: its title, heads and rows, and what is said below."""

    title: str
    heads: list[str]
    body: list[list[str]]  # an empty row is a rule
    notes: list[str]
    words: tuple[int, ...] = (0,)  # columns that hold words, which stand left
    total: bool = True  # the last row sums up the others


def text(title: Sequence[str], sections: Iterable[Section], last: Sequence[str] = ()) -> str:
    """Return sections as text for a mail, below the lines of a title."""
    parts = ["\n".join(map(paragraph, title))]
    for one in sections:
        table = grid([one.heads], one.body, bar="  ")
        parts.append("\n".join([paragraph(one.title), "", table, *map(note, one.notes)]))
    return "\n\n".join([*parts, *map(note, last)])


def of_result(found: Ledger, rows: pd.DataFrame, pattern: str | None = None, phase: str | None = None) -> list[Account]:
    """Return the accounts to show: every form of the representative case, or the cases whose name matches.

    Raises BadInput where there is none.
    """
    usual = ledger.representative(rows)
    known = ledger.accounts(found, rows)
    forms = [str(form) for form in rows["form"].cat.categories]
    order = {form: i for i, form in enumerate(forms)}  # the untracked baseline first

    def wanted(case: Case) -> bool:
        return matches(case_name(case), pattern) if pattern else case[:-1] == usual[:-1]

    made = [one for (case, of), one in known.items() if wanted(case) and phase in (None, of) and one.total]
    if not made:
        which = f"--filter {pattern!r} and --phase {phase or 'any'} match nothing that was counted"
        raise BadInput(which, f"names look like {case_name(usual)!r}, phases are {', '.join(PHASES)}")
    return sorted(made, key=lambda one: (one.case[:-1], order.get(one.case.form, -1), PHASES.index(one.phase)))


def point(case: Case) -> str:
    """Name the point of a case: random 10%, 65536 pages."""
    return f"{tables.series(case)}, {many(case.pages, 'page')}"


def result_title(found: Ledger, rows: pd.DataFrame) -> list[str]:
    """What the sections of one result are about."""
    values = len(rows[["process", "round"]].drop_duplicates())
    of = f"of the interval that is the median of {values}" if found.exact else "as sampled"
    return [
        f"{found.name}: where the instructions of each phase go, {of}",
        "; ".join([tables.memory(rows), tables.where(rows)]),
    ]


def result_sections(accounts: Iterable[Account], places: Mapping[str, str] | None = None) -> list[Section]:
    """Return a section for each account: its functions, the largest first; places: of functions in the source."""
    return [_account(one, places) for one in accounts]


def _account(one: Account, places: Mapping[str, str] | None) -> Section:
    last = ["share"] if places is None else ["source"]
    heads = ["function", "instructions", "per page", *last]
    shown = one.functions[one.functions >= LEAST * one.total].head(ROWS)

    def row(name: str, value: float, where: str = "") -> list[str]:
        share = (
            f"{100 * value / one.total:.1f}%"
            if places is None
            else where
            if len(where) <= PLACE
            else f"..{where[2 - PLACE :]}"
        )
        return [name, f"{value:.0f}", numbers.three(value / one.pages), share]

    body = [row(str(name), value, (places or {}).get(str(name), "")) for name, value in shown.items()]
    rest = one.functions.iloc[len(shown) :]
    body += [row(f"other, {many(len(rest), 'function')}", float(rest.sum()))] if len(rest) else []
    body += [row(USER, one.user)] if one.user else []
    body += [[], row("total", one.total)]
    per = f"per page = per {one.per} ({one.pages} of them)"
    return Section(f"{one.case.form}, {one.phase}; {point(one.case)}", heads, body, [per, *_foreign(one)])


def _foreign(one: Account) -> list[str]:
    """What else ran during the phase, which is in no number."""
    whole = float(one.foreign.sum()) or float(one.counters.get("foreign", 0.0))
    if not whole:
        return []
    names = ", ".join(map(str, one.foreign.head(3).index))
    return [f"beside it {whole:.0f} instructions of interrupts and other tasks{f': {names}' if names else ''}"]


def accounted(
    folders: Sequence[Path], sides: list[Side], pattern: str = "*", phases: Sequence[str] = PHASES
) -> list[Change]:
    """Return which functions account for each phase that changed between results of exact counts, the base first.

    Raises BadInput for results of other counts, or of times.
    """
    found = [store.load(folder) for folder in folders]
    if inexact := [one.name for one in found if not one.exact]:
        raise BadInput(f"{inexact[0]} has no exact counts", "measure in a guest: ./bench.py run --where vm")
    return ledger.changes(sides, found, pattern, phases)


def change_text(made: Sequence[Change], sides: Sequence[Side] = ()) -> str:
    """The function ledger of a comparison as mail text; sides: where no table above says what was compared."""
    return text(change_title(made, sides), change_sections(made), change_notes(made))


def change_title(changes: Sequence[Change], sides: Sequence[Side] = ()) -> list[str]:
    """What the sections of a comparison are about."""
    what = "Which kernel functions account for what changed: instructions of the interval that is the median"
    if not changes:
        what = "No phase of any form changed: there is nothing to account for by function."
    named = [f"{'new' if i else 'base'}: {one.name}, {tables.where(one.whole)}" for i, one in enumerate(sides)]
    return [what, *named, *([tables.memory(sides[0].whole)] if sides else [])]


def change_sections(changes: Sequence[Change]) -> list[Section]:
    """Return a section for each change; forms that share one are together."""
    several = len({one.new_name for one in changes}) > 1
    return [_change(some, several=several) for some in grouped(changes)]


def change_notes(changes: Sequence[Change]) -> list[str]:
    """What must be known of all sections together."""
    known = {how for one in changes for how in one.functions["how"]} - {""}
    if not changes:
        return []
    said = "what compilers split off a function (.isra, .constprop, .part, .cold) is counted with it"
    if known:
        said = (
            "new, gone: executes nothing in the other kernel; it may have another name there, or be inlined into its "
            f"caller, which then grows by as much; renamed: but for underscores in front; {said}"
        )
    return [said]


def _change(some: Sequence[Change], *, several: bool) -> Section:
    one = some[0]
    every = one.functions["change"].abs().sum() + abs(one.user)
    shown = one.functions[one.functions["change"].abs() >= LEAST * every].head(ROWS)
    rest = one.functions.iloc[len(shown) :]

    def row(name: str, base: float, new: float) -> list[str]:
        change = new - base
        return [name, f"{base:.0f}", f"{new:.0f}", f"{change:+.0f}", signed(change / one.base.pages)]

    body = [row(_label(name, how), base, new) for name, base, new, _, how in shown.itertuples(index=False)]
    if len(rest):
        body.append(row(f"other, {many(len(rest), 'function')}", rest["base"].sum(), rest["new"].sum()))
    alike = one.base.total - one.base.user - one.functions["base"].sum()
    if alike:
        body.append(row("functions without a change", alike, alike))
    if one.base.user or one.new.user:
        body.append(row(USER, one.base.user, one.new.user))
    body += [[], row("total", one.base.total, one.new.total)]
    ratio = numbers.percent(one.new.total / one.base.total) if one.base.total else "new"
    whose = f"{one.new_name}: " if several else ""
    title = f"{whose}{one.base.case.form}, {one.base.phase}: {ratio}; {point(one.base.case)}"
    also = [f"{same.base.case.form} {signed_count(same.total)}" for same in some[1:]]
    notes = [*([f"nearly the same: {', '.join(also)}"] if also else []), *_events(one), *_counted(one)]
    return Section(title, ["function", "base", "new", "change", "per page"], body, notes)


def _events(one: Change) -> list[str]:
    """Which other counters changed with it, such as TLB flushes: what instructions do not show."""
    base, new = one.base.counters, one.new.counters
    names = [name for name in base.index.union(new.index, sort=False) if name not in INSTRUCTION_COUNTERS]
    ends = {name: (float(base.get(name, 0.0)), float(new.get(name, 0.0))) for name in names}
    parts = [f"{name} {old:.0f} to {now:.0f}" for name, (old, now) in ends.items() if old != now]
    return [f"with it changed: {', '.join(parts)}"] if parts else []


def _label(name: str, how: str) -> str:
    """Name a function, as long as there is room for it."""
    if not how:
        return name
    room = LABEL - len(f" ({how})")
    return f"{name if len(name) <= room else name[: room - 2] + '..'} ({how})"


def _counted(one: Change) -> list[str]:
    """What per page means, and in how many other cases it is the same function."""
    said = f"per page = change per {one.base.per} ({one.base.pages} of them); {one.base.phase} changed in "
    said += f"{one.claimed} of {many(one.cases, 'case')} of {one.base.case.form}"
    if one.claimed > 1 and len(one.functions):
        first = one.functions["function"].iloc[0]
        said += f", and {first} comes first in {one.top} of the other {one.claimed - 1}"
    return [said]


def signed_count(value: float) -> str:
    """A change of a count: +91.9k."""
    return f"{'+' if value > 0 else ''}{numbers.amount(value, numbers.of_quantity(INSTRUCTIONS))}"


def signed(value: float) -> str:
    """A change per page: +1.00, -0.03."""
    return f"{'-' if value < 0 else '+'}{numbers.three(abs(value))}"


def grouped(changes: Iterable[Change]) -> list[list[Change]]:
    """Changes of one phase that are nearly alike, in several forms: clear_refs resets for whoever collects."""
    groups: list[list[Change]] = []
    for one in changes:
        like = (some for some in groups if _alike(some[0], one))
        found = next(like, None)
        if found is None:
            groups.append([one])
        else:
            found.append(one)
    return groups


def _alike(one: Change, other: Change) -> bool:
    same = [(some.new_name, some.base.phase, *some.functions["function"].head(1)) for some in (one, other)]
    return same[0] == same[1] and abs(one.total - other.total) <= ALIKE * abs(one.total)


def result_csv(found: Ledger, accounts: Iterable[Account], places: Mapping[str, str] | None = None) -> str:
    """A line for each function of each account: `part` is kernel, user, or foreign, which is in no value."""
    lines = []
    for one in accounts:
        parts = [("kernel", one.functions), ("user", pd.Series({USER: one.user})), ("foreign", one.foreign)]
        for part, some in parts:
            for name, value in some.items():
                row = {"result": found.name, **one.case._asdict(), "phase": one.phase, "part": part, "function": name}
                row |= {"instructions": value, "per_pages": one.pages}
                lines.append(row | ({"source": places.get(str(name), "")} if places is not None else {}))
    return pd.DataFrame(lines).to_csv(index=False)


def change_csv(changes: Iterable[Change]) -> str:
    """A line for each function that changed, and for user space; without one the heads only."""
    return frame(changes).to_csv(index=False)


COLUMNS = ["new_name", *CASE, "phase", "function", "how", "base", "new", "change"]
COLUMNS += ["per_pages", "claimed", "cases", "same_first"]


def drawn(changes: Iterable[Change], sides: Sequence[Side]) -> pd.DataFrame:
    """Return frame() with what the plot writes above it: `base_name`, `base_where`, `new_where`, `memory`, `cpu`."""
    where = {one.name: tables.where(one.whole) for one in sides}
    base, made = sides[0], frame(changes)
    made["base_name"], made["base_where"] = base.name, where[base.name]
    made["new_where"] = made["new_name"].map(where)
    made["memory"], made["cpu"] = tables.memory(base.whole), str(base.whole["cpu"].iloc[0])
    return made


def frame(changes: Iterable[Change]) -> pd.DataFrame:
    """Return a row for each function of each change, in their order: what CSV holds."""
    lines = []
    for one in changes:
        own = {"new_name": one.new_name, **one.base.case._asdict(), "phase": one.base.phase}
        tail = {"per_pages": one.base.pages, "claimed": one.claimed, "cases": one.cases, "same_first": one.top}
        some = one.functions.to_dict("records")
        if one.user:
            some.append({"function": USER, "base": one.base.user, "new": one.new.user, "change": one.user, "how": ""})
        lines += [own | row | tail for row in some]
    return pd.DataFrame(lines, columns=COLUMNS)
