# SPDX-License-Identifier: GPL-2.0-only
"""What the command `functions` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.errors import BadInput
from bench.plan.records import PHASES
from bench.run.commands import existing


@dataclass
class Functions:
    """The options of `functions`, as typed."""

    names: tuple[str, ...]
    pattern: str | None
    phase: str | None
    form: str
    vmlinux: str | None


def run(request: Functions) -> None:
    """Print where the instructions of one result's phases go, or which functions account for what changed."""
    folders = [existing(name) for name in request.names]
    if len(folders) == 1:
        _of_one(folders[0], request)
    elif request.vmlinux:
        raise BadInput("--vmlinux is about one kernel, and a comparison about several", "give one result")
    else:
        _compared(folders, request)


def _of_one(folder: Path, request: Functions) -> None:
    from bench.report import events, functions, html  # noqa: PLC0415  (pandas: half a second)
    from bench.store import events as stored_events  # noqa: PLC0415
    from bench.store import frames, ledger  # noqa: PLC0415

    result = frames.load(folder)
    rows = frames.intervals(result.frame)
    if seen := stored_events.load(folder):
        if request.form != "text" or request.vmlinux:
            raise BadInput(f"{result.name} has samples, no counts of functions", "they are shown as text alone")
        print(events.text(seen, rows, result.host, request.pattern, request.phase))
        return
    found = ledger.load(folder)
    accounts = functions.of_result(found, rows, request.pattern, request.phase)
    places = None
    if request.vmlinux:
        from bench.run import vmlinux  # noqa: PLC0415

        names = {str(name) for one in accounts for name in one.functions.index}
        places = vmlinux.places(Path(request.vmlinux), names, result.host)
    if request.form == "csv":
        print(functions.result_csv(found, accounts, places), end="")
        return
    title, sections = functions.result_title(found, rows), functions.result_sections(accounts, places)
    print(html.ledger(title, sections) if request.form == "html" else functions.text(title, sections))


def _compared(folders: list[Path], request: Functions) -> None:
    from bench.report import functions, pages  # noqa: PLC0415  (scipy and matplotlib: seconds)
    from bench.stats import across, comparison  # noqa: PLC0415

    sides = comparison.load(folders)
    across.refuse(sides)
    phases = [request.phase] if request.phase else PHASES
    changes = functions.accounted(folders, sides, request.pattern or "*", phases)
    if request.form == "csv":
        print(functions.change_csv(changes), end="")
    elif request.form == "html":
        from plots import drawing  # noqa: PLC0415

        print(pages.ledger_page(changes, sides, drawing.every))
    else:
        print(functions.change_text(changes, sides))
