# SPDX-License-Identifier: GPL-2.0-only
"""What `bisect` does: measures the commit of the kernel tree it is in, and ends as `git bisect run` wants."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from bench import place
from bench.errors import (
    BadInput,
    BenchError,
    BuildFailed,
    GuestFailed,
    LimitExceeded,
    NoVerdict,
    Unsupported,
    WorkerFailed,
)
from bench.plan.plan import Plan
from bench.run import commands, resume
from bench.run.measuring import decided, site_of
from bench.run.settle import need_core
from bench.run.tell import note
from bench.store import log

SKIP, STOP = 125, 255  # statuses: this commit can't be tested; and from 128 on, the whole bisection ends
_DIGITS = 12  # of a commit


class Skipped(BenchError):
    """A commit that can't be judged."""

    status = SKIP


class Stopped(BenchError):
    """Something that no other commit would make better."""

    status = STOP


def bisect(name: str, limit: float, metric: str = "cost", pattern: str = "*") -> None:
    """Measure the checked-out commit as the result `name` was, and compare it with that.

    Raises LimitExceeded where it is worse by more than `limit` percent, Skipped where it can't be judged, Stopped for
    everything else.
    """
    try:
        need_core()
        good = commands.existing(name).resolve()
        _check_good(good, metric, pattern)
        new = _measured(good)
        commands.compare(commands.Comparing((str(good), str(new)), metric=metric, pattern=pattern, fail_on=limit))
    except (LimitExceeded, Skipped):
        raise
    except NoVerdict as error:
        raise Skipped(str(error), error.hint) from error
    except BenchError as error:
        raise Stopped(str(error), error.hint) from error


def _check_good(good: Path, metric: str, pattern: str) -> None:
    """Raise BadInput for a result with which no commit could be compared."""
    from bench.stats import comparison  # noqa: PLC0415  (scipy: seconds)
    from bench.store import frames  # noqa: PLC0415

    result = frames.load(good)
    rows = frames.intervals(result.frame)
    one, other = (comparison.Side(name, rows, result, rows, rows) for name in (good.name, "itself"))
    made = comparison.compare([one, other], metric=metric, pattern=pattern)
    if not made.decidable():
        raise BadInput(
            f"{good.name} has too few boots for a verdict: it takes {made.needed()}",
            f"./bench.py run --resume {place.called(good)} --boots +{made.needed()}",
        )


def _measured(good: Path) -> Path:
    """Build and measure the commit, as far as that was not done; return the folder of its result."""
    from bench.run import campaign  # noqa: PLC0415  (rich)
    from bench.run.share import Part  # noqa: PLC0415

    old = resume.plan_of(good, None, note)
    if old.where != "vm" or old.scenarios:
        raise BadInput(
            f"{good.name} is not of points in a guest", "measure a good commit so: ./bench.py run --kernel TREE@REV"
        )
    tree = Path.cwd()
    try:
        site = site_of(old._replace(kernel=f"{tree}@HEAD"))
    except BuildFailed as error:
        raise Skipped(str(error), error.hint) from error
    commit = str(site.facts["kernel_commit"])
    folder = good.with_name(f"{good.name}-bisect") / commit[:_DIGITS]
    folder.mkdir(parents=True, exist_ok=True)
    plan = decided(_of_commit(old, tree, commit), site)
    kept = (folder / log.FILE).is_file() and resume.plan_of(folder, None, note)
    if kept:  # a bisection that was begun before
        resume.check_kernel(folder, site.facts)
    note(f"{site.title}: {plan.boots} boots into {folder}")
    try:
        campaign.measure(Part(kept or plan, site, folder))
    except (GuestFailed, WorkerFailed, Unsupported) as error:
        raise Skipped(str(error), error.hint) from error
    return folder


def _of_commit(plan: Plan, tree: Path, commit: str) -> Plan:
    """Return the plan for this commit, with the line that repeats it."""
    words = shlex.split(plan.command)
    words[1] = "run"
    while "--kernel" in words:
        at = words.index("--kernel")
        del words[at : at + 2]
    kernel = f"{tree}@{commit}"
    return plan._replace(
        kernel=kernel,
        command=shlex.join([*words, "--kernel", kernel]),
        matrix=(),
        version=str(place.version()),
        date=time.strftime("%Y-%m-%d %H:%M:%S"),
    )
