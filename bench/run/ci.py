# SPDX-License-Identifier: GPL-2.0-only
"""What `report` prints for readers of test results and for labs, and the exit status they go by."""

from __future__ import annotations

from pathlib import Path

from bench.errors import BadInput, LimitExceeded, Skipped
from bench.report import gate, judged, kcidb, ktap, labs, outcomes
from bench.run.options import KCIDB, LAVA, LKP, TAP, TMT
from bench.store import frames, verdicts

_LABS = {LKP: labs.lkp, LAVA: labs.lava, TMT: labs.tmt}


def report(folder: Path, form: str, baseline: Path | None = None, build: str | None = None) -> None:
    """Print a result of the suite meaning. Raises LimitExceeded for what is not ok, Skipped where all of TAP is.

    With a baseline, what was not ok there and is no worse now does not count.
    """
    result = verdicts.load(folder)
    if baseline and not verdicts.holds(baseline):
        raise BadInput(f"{baseline} is no result of the suite meaning", "give one that run --suite meaning has made")
    base = verdicts.load(baseline) if baseline else None
    if form == KCIDB:
        print(kcidb.document(result, base, build))
        return
    if form in _LABS:
        print(_LABS[form](outcomes.of_verdicts(result, base)))
        return
    print("\n".join((ktap.tap if form == TAP else ktap.ktap)(result, base)))
    tests = judged.judge(result, base)
    if not base:
        gate.refuse_wrong(folder)
    if bad := ktap.failures(tests):
        what = f"worse than in {base.name}" if base else "not ok"
        raise LimitExceeded(f"{bad} of {len(tests)} scenarios are {what}", "they are marked above")
    if form == TAP and all(test.state == judged.SKIP for test in tests):
        raise Skipped("nothing could be played", "./bench.py probe says why, and what would change that")


def measured(folder: Path, form: str, build: str | None = None) -> None:
    """Print a result that has times, in one of options.NUMBERED. What a number means is for its reader to say."""
    result = frames.load(folder)
    found = outcomes.of_times(result)
    print(kcidb.measured(result, found, build) if form == KCIDB else _LABS[form](found))
