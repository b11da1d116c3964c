# SPDX-License-Identifier: GPL-2.0-only
"""Plays scenarios: each with one interface in a process of its own, so many times, and what became of it."""

from __future__ import annotations

import errno
import importlib
from typing import TYPE_CHECKING

from bench.measure import isolated, probe
from bench.measure.core import Mapping, check, forgo_huge_pages, lib
from bench.measure.memory import Breaks, NotPossible
from bench.measure.stage import Stage
from bench.plan.interfaces import INTERFACES, Interface
from bench.plan.records import BREAKS, FAILED, HUNG, REFUSED, Played, Plays, coded

if TYPE_CHECKING:
    from bench.plan.plan import Play

PLAY_SECONDS = 20  # of one play; one that hangs is an answer too
COPIED_PAGES = 256

# What a refusal in mid-scenario means. Loud is not wrong: who is refused knows that it must start anew.
_REFUSALS = {
    ("ioctl(PAGEMAP_SCAN)", errno.EPERM): "PAGEMAP_SCAN says EPERM: not all of it is registered with userfaultfd now",
    ("ioctl(PAGEMAP_SCAN): walk_end", errno.ELOOP): "PAGEMAP_SCAN protects nothing: walk_end stays where it began",
    ("ioctl(UFFDIO_WRITEPROTECT)", errno.ENOENT): "UFFDIO_WRITEPROTECT says ENOENT: it is not registered now",
    ("ioctl(UFFDIO_REGISTER, MODE_RWP)", errno.EBUSY): "UFFDIO_REGISTER says EBUSY: another userfaultfd has the memory",
    ("mprotect(PROT_READ)", errno.EPERM): "mprotect says EPERM: the memory is sealed",
}


def play(name: str, interface: Interface) -> tuple[Plays, list[str]]:
    """Play the scenario once: what it showed, and the contract where that differs from the truth."""
    stage = Stage(interface)
    try:
        try:
            importlib.import_module(f"workloads.{name}").play(stage)
            return stage.verdict(), stage.contract
        finally:
            stage.close()
    except NotPossible as no:
        return Plays(1, why=no.reason.why, remedy=no.reason.remedy), []
    except Breaks as error:
        return Plays(1, failed=str(error), ended=BREAKS), []
    except OSError as error:
        call = (str(error.filename), error.errno or 0)
        if known := _REFUSALS.get(call):
            return Plays(1, why=known, ended=REFUSED), []
        if reason := probe.refusal(error):
            return Plays(1, why=reason.why, remedy=reason.remedy, ended=REFUSED), []
        return Plays(1, failed=f"{call[0]} fails: {error.strerror}", ended=FAILED), []


def perform(job: Play, boot: int) -> Played:
    """Play a scenario so many times in a child process, and return what it found."""

    def plays(say: isolated.Say) -> None:
        forgo_huge_pages()  # but in the scenarios that are about them
        for _ in range(job.times):
            verdict, contract = play(job.scenario, INTERFACES[job.interface])
            say([verdict._asdict(), contract])
            if verdict.why or verdict.failed:  # it will not be possible the next time either
                return

    said, trouble = isolated.run(plays, PLAY_SECONDS, job.interface)
    verdicts = [Plays(**fields) for fields, _ in said]
    if trouble:
        ended = HUNG if isinstance(trouble, isolated.Late) else FAILED
        verdicts.append(Plays(1, failed=trouble, ended=ended))
    contract = "; ".join(dict.fromkeys(said[-1][1])) if said else ""
    runs = [verdict._replace(times=times) for times, verdict in coded(verdicts)]
    return Played(boot, job.scenario, job.interface, contract, runs)


def copy_cost() -> float:
    """Nanoseconds to copy one page out of a mapping whose pages are in the cache: what an extra page costs at least."""
    with Mapping(COPIED_PAGES) as mapping:
        took = float(lib.stage_copy_page_ns(mapping.struct))
    check(min(0, int(took)))
    return took
