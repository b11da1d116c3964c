# SPDX-License-Identifier: GPL-2.0-only
"""What --fail-on decides about a comparison: what is worse in the new results, or why nothing can be decided."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from bench.errors import BadInput, LimitExceeded, NoVerdict, WrongAnswer
from bench.plan.records import Messages
from bench.report import changes, numbers, sentences, verdict_changes
from bench.report.numbers import many
from bench.stats.comparison import Comparison, Side, case_name, cases, newly_wrong
from bench.stats.verdict_changes import Changes
from bench.store import frames, log, verdicts
from bench.store.verdicts import Verdicts

# Besides a percentage: which change of a verdict fails. A percentage means WORSE there.
BROKEN, WORSE, CHANGE = WORDS = "broken", "worse", "change"
WRONG = "an interface that answers wrong is a bug of the kernel, or of this suite: tell the maintainers which pages"
_AGAIN = "measure more runs: ./bench.py run --resume NAME --boots +5"
_HINT = "the comparison above shows each case; --fail-on sets the limit, --filter what is looked at"


def refuse_wrong(*folders: Path) -> None:
    """Raise WrongAnswer for results in which an interface did not report exactly the pages that were written.

    Of scenarios that is their verdict, and no error; but a kernel that crashed or hung is.
    """
    lines: list[str] = []
    for folder in folders:
        if verdicts.holds(folder):
            result = verdicts.load(folder)
            lines += [*sentences.findings(result.findings), *sentences.ended(result.cells)]
        else:
            times = frames.load(folder)
            lines += sentences.wrong(frames.intervals(times.frame), times)
    if lines:
        raise WrongAnswer(lines[0].rstrip("."), WRONG)


def judge(made: Comparison, limit: float) -> str:
    """Return what an all-clear says; `limit` is in percent.

    Raises LimitExceeded for what is worse than in the base, however few runs there were, else NoVerdict where nothing
    can be said.
    """
    clear = f"--fail-on {limit:g}%: nothing is worse in {many(len(made.frame), 'case')}."
    return _decided(failures(made, limit), undecided(made, limit), clear)


def _decided(worse: list[str], unsure: list[str], clear: str, again: str = _AGAIN) -> str:
    if worse:
        listed = "\n  ".join(worse)
        raise LimitExceeded(worse[0] if len(worse) == 1 else f"{len(worse)} reasons to fail:\n  {listed}", _HINT)
    if unsure:
        raise NoVerdict(f"no verdict: {'; '.join(unsure)}", again)
    return clear


def no_verdicts(word: str) -> BadInput:
    """Return what is raised where a word is given, and results have times."""
    return BadInput(f"--fail-on {word} is for results of the suite meaning", "give a percentage: --fail-on 3%")


def judge_verdicts(results: Sequence[Verdicts], limit: float | str = WORSE) -> str:
    """The same of results of the suite meaning, the base first, which have no times. Raises as judge() does.

    BROKEN: what is broken now and worse than it was fails; WORSE: any change for the worse; CHANGE: any at all.
    """
    word = str(limit) if limit in WORDS else WORSE
    base, worse, common = results[0], list[str](), 0
    unsure = [line.rstrip(".") for one in results for line in sentences.fallen(one.fallen, one.name)]
    for found in verdict_changes.made(results):
        new, common = found.new, max(common, found.common)
        worse += [f"WRONG in {new.name}, not in {base.name}: {x}" for x in _findings(base.findings, new.findings)]
        if not found.common:
            unsure.append(f"{base.name} and {new.name} have no scenario in common")
            continue
        worse += _changed(found, word)
        if missing := [key for key in found.gone if _possible_elsewhere(new, key)]:
            unsure.append(f"{_not_in(missing, base.name, new.name)}: not possible there")
        worse += [f"the kernel log of {new.name} has {text}" for text in complaints(base.messages, new.messages)]
    what = {BROKEN: "more is broken", WORSE: "is worse", CHANGE: "changed"}[word]
    return _decided(
        worse,
        unsure,
        f"--fail-on {word}: nothing {what} in {many(common, 'verdict')}.",
        "play what is missing: ./bench.py run --resume NAME",
    )


def _changed(found: Changes, word: str) -> list[str]:
    """Which verdicts changed so that it fails, and which are missing: how many, and the gravest of them."""
    base, new = found.base.name, found.new.name
    fails = [one for one in found.changed if word == CHANGE or (one.breaks if word == BROKEN else one.way == WORSE)]
    said = []
    if fails:
        one = max(fails, key=verdict_changes.gravity)
        what = "changed" if word == CHANGE else "worse" if word == WORSE else "broken"
        said.append(
            f"{many(len(fails), 'verdict')} {what} in {new} against {base}, such as {one.scenario} with "
            f"{one.interface}: {one.new.text()} against {one.base.text()}"
        )
    if gone := [key for key in found.gone if not _possible_elsewhere(found.new, key)]:
        said.append(_not_in(gone, base, new))
    return said


def _not_in(keys: Sequence[tuple[str, str]], base: str, new: str) -> str:
    return f"{many(len(keys), 'verdict')} of {base} not in {new}, such as {' with '.join(keys[0])}"


def _possible_elsewhere(result: Verdicts, key: tuple[str, str]) -> bool:
    """Whether what has no verdict is the machine's doing, or luck, and not the kernel's."""
    return key in result.cells and result.cells[key].no == verdicts.HERE


def failures(made: Comparison, limit: float) -> list[str]:
    """What is worse in the new results: wrong answers, what is missing, complaints of the kernel, then slow-downs."""
    base, *others = made.sides
    found = []
    for new in others:
        found += [f"WRONG in {new.name}, not in {base.name}: {text}" for text in
                  _findings(base.result.findings, new.result.findings)]  # fmt: skip
        wrong = newly_wrong(base, new)
        if not wrong.empty:
            found.append(_wrong_pages(wrong, base, new))
        if gone := [case for case in cases(base.matching) if case not in cases(new.matching)]:
            found.append(f"{many(len(gone), 'case')} of {base.name} not in {new.name}, such as {case_name(gone[0])}")
        found += [f"the kernel log of {new.name} has {text}" for text in
                  complaints(base.result.messages, new.result.messages)]  # fmt: skip
    slower = changes.failure(made, limit)
    return found + [slower] * bool(slower)


def undecided(made: Comparison, limit: float) -> list[str]:
    """Why it can't be said that nothing is worse: too few runs, or changes beyond the limit that may be chance."""
    fallen = [line for one in made.sides for line in sentences.fallen(one.result.fallen, one.name)]
    found = [line.rstrip(".") for line in (*fallen, *changes.floods(made))]
    for new in made.sides[1:]:
        rows = made.frame[made.frame["new_name"] == new.name]
        if not made.decidable(new.name):
            found.append(
                f"too few runs: it takes {made.needed()} {changes.units(made, new.name)} or more in each result"
            )
        found += [line.rstrip(".") for line in sentences.incomplete(new.whole, new.result, new.name)]
        # each for itself would be called worse; among so many some are, by chance
        beyond = rows[~rows["significant"] & (rows["ratio"] - 1 > limit / 100) & (rows["low"] > 1)]
        if not beyond.empty:
            worst = beyond.sort_values("ratio").iloc[-1]
            why = (
                "by less than can be claimed"
                if made.counted
                else f"but among {many(made.tests, 'test')} perhaps by chance"
            )
            found.append(
                f"{many(len(beyond), 'case')} of {new.name} beyond {limit:g}%, {why}, up to "
                f"{numbers.signed(100 * (worst['ratio'] - 1))}% ({sentences.case(worst)})"
            )
        if (unknown := rows[rows["ratio"].isna()]).shape[0]:
            first = sentences.case(unknown.iloc[0])
            found.append(f"{many(len(unknown), 'case')} of {new.name} without a ratio, such as {first}: a cost below 0")
    return found


def _findings(base: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What probes found wrong in the new result only."""
    return [f"{what}: {text}" for what, text in new.items() if what not in base]


def _wrong_pages(wrong: pd.DataFrame, base: Side, new: Side) -> str:
    row = wrong.iloc[0]
    more = f"; {len(wrong)} cases in all" if len(wrong) > 1 else ""
    return (
        f"WRONG PAGES in {new.name}, not in {base.name}: {sentences.case(row)}: {row['wrong_intervals']} of "
        f"{row['intervals']} intervals, {row['extra']} pages extra, {row['missed']} missed{more}"
    )


def complaints(base: Mapping[int, Messages], new: Mapping[int, Messages]) -> list[str]:
    """Kinds of complaints of which the new kernel's log has more, a boot, with their first lines."""
    before, after = (log.complaints(one) for one in (base, new))
    boots = [max(1, len(one)) for one in (base, new)]
    more = {kind: count for kind, count in after.items() if count * boots[0] > before.get(kind, 0) * boots[1]}
    first = dict.fromkeys(line for one in new.values() for line in one.first)
    if not more:
        return []
    lines = f"; its first lines: {' | '.join(list(first)[:3])}" if first else ""
    return [", ".join(f"{count} {kind} (against {before.get(kind, 0)})" for kind, count in more.items()) + lines]
