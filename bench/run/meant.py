# SPDX-License-Identifier: GPL-2.0-only
"""What `report`, `compare` and `cover-letter` do with results of the suite meaning, whose results are verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.errors import BadInput, PermissionDenied
from bench.harmless import quoted
from bench.plan.points import matches
from bench.report import gate, meaning, pages, verdict_changes
from bench.run.tell import note
from bench.store import verdicts
from bench.store.verdicts import Verdicts


def report(folders: Sequence[Path], form: str, into: Path | None, *, everything: bool) -> None:
    """Print results; write text, page and plot beside one, or of several into the folder `into`.

    Raises PermissionDenied, after printing, where that can't be written.
    """
    from plots import drawing  # noqa: PLC0415  (matplotlib: a second more)

    results = [verdicts.load(folder) for folder in folders]
    target = into or (folders[0] if len(folders) == 1 else None)
    if form == "csv":
        print(meaning.as_csv(results), end="")
    elif form == "html":
        if target is None:
            raise BadInput("several results have no folder for a page", "give one a name: --name both")
        print(quoted(str(pages.meant_html(results, target, drawing.every))))
    else:
        try:
            made = pages.meant(results, everything=everything, into=(target, drawing.every) if target else None)
        except PermissionDenied as error:
            print(pages.meant(results, everything=everything), end="")
            if into:  # it was asked for
                raise
            note(f"The report is not kept: {error}; {error.hint}.")
        else:
            print(made, end="")


def compare(
    folders: Sequence[Path], form: str, pattern: str, fail_on: float | str | None, target: Path | None = None
) -> None:
    """Print which verdicts changed; keep it, and the report of all, in a folder. Raises LimitExceeded, NoVerdict."""
    results = [chosen(verdicts.load(folder), pattern) for folder in folders]
    if form == "html":
        print(verdict_changes.as_html(results), end="")
    elif form == "csv":
        print(verdict_changes.frame(results).to_csv(index=False), end="")
    else:
        print(
            {"text": verdict_changes.text, "markdown": verdict_changes.markdown, "json": verdict_changes.as_json}[form](
                results
            )
        )
    if target:
        from plots import drawing  # noqa: PLC0415

        pages.meant(results, into=(target, drawing.every))
        pages.changed(results, target)
    if fail_on is not None:
        note(gate.judge_verdicts(results, fail_on))


def chosen(found: Verdicts, pattern: str) -> Verdicts:
    """Return the verdicts whose scenario, or scenario and interface, match. Raises BadInput where none does."""
    if pattern == "*":
        return found
    kept = {
        key: cell for key, cell in found.cells.items() if matches(key[0], pattern) or matches(" ".join(key), pattern)
    }
    if not kept:
        raise BadInput(
            f"--filter {pattern!r} matches no verdict of {found.name}", "give a scenario, or SCENARIO INTERFACE"
        )
    names = {scenario for scenario, _ in kept}
    scenarios = {name: summary for name, summary in found.scenarios.items() if name in names}
    return found._replace(cells=kept, scenarios=scenarios)
