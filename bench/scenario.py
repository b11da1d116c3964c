# SPDX-License-Identifier: GPL-2.0-only
"""The playing side of the suite meaning: `python -m bench.scenario --plan JSON` plays scenarios and prints verdicts.

One JSON object a line, here or in a guest; `bench/meaning.py` reads them. Imports little: under TCG each import costs.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import workloads
from bench import interfaces
from bench.errors import BenchError
from bench.mapping import Mapping, check, die_with_parent, forgo_huge_pages, lib
from bench.memory import NotPossible
from bench.stage import Stage, Verdict
from bench.worker import say

PLAY_SECONDS = 20  # of one play; one that hangs is an answer too
COPIED_PAGES = 256
HUGETLB_PAGES = 4
HUGETLB = "/proc/sys/vm/nr_hugepages"

# What a refusal in mid-scenario means. Loud is not wrong: who is refused knows that it must start anew.
_REFUSALS = {
    ("ioctl(PAGEMAP_SCAN)", errno.EPERM): "PAGEMAP_SCAN says EPERM: not all of it is registered with userfaultfd now",
    ("ioctl(UFFDIO_WRITEPROTECT)", errno.ENOENT): "UFFDIO_WRITEPROTECT says ENOENT: it is not registered now",
}


def play(name: str, interface: interfaces.Interface) -> tuple[Verdict, list[str]]:
    """Play the scenario once: what it showed, and the contract where that differs from the truth."""
    stage = Stage(interface)
    try:
        try:
            workloads.load_scenario(name).play(stage)
            return stage.verdict(), stage.contract
        finally:
            stage.close()
    except NotPossible as no:
        return Verdict(why=no.reason.why, remedy=no.reason.remedy), []
    except OSError as error:
        call = (str(error.filename), error.errno or 0)
        if known := _REFUSALS.get(call):
            return Verdict(why=known), []
        if reason := interfaces.refusal(error):
            return Verdict(why=reason.why, remedy=reason.remedy), []
        return Verdict(failed=f"{call[0]} fails: {error.strerror}"), []


def _plays(name: str, interface: interfaces.Interface, times: int, out: int) -> None:
    """In a child process: play, and write each verdict as a line."""
    die_with_parent()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    forgo_huge_pages()  # but in the scenarios that are about them
    for _ in range(times):
        signal.alarm(PLAY_SECONDS)
        verdict, contract = play(name, interface)
        os.write(out, json.dumps([*verdict, contract]).encode() + b"\n")
        if verdict.why or verdict.failed:  # it will not be possible the next time either
            break


def perform(name: str, interface: interfaces.Interface, times: int) -> dict[str, Any]:
    """Play a scenario `times` times in a child process; return the record: verdicts run-length coded, the contract."""
    read, write = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        try:
            os.close(read)
            with suppress(BrokenPipeError):  # who asked is gone, and this process will be too
                _plays(name, interface, times, write)
            os._exit(0)
        finally:
            sys.excepthook(*sys.exc_info())  # reached by an exception only: a mistake of ours, worth its traceback
            os._exit(1)
    os.close(write)
    verdicts, contract = [], []
    with os.fdopen(read) as lines:
        for line in lines:
            *fields, contract = json.loads(line)
            verdicts.append(Verdict(*fields))
    _, status = os.waitpid(pid, 0)
    how = os.waitstatus_to_exitcode(status)
    if how == -signal.SIGALRM:
        verdicts.append(Verdict(failed=f"it did not end within {PLAY_SECONDS} s"))
    elif how:
        verdicts.append(Verdict(failed=f"the process that played it died ({how})"))
    return {
        "type": "scenario",
        "scenario": name,
        "interface": interface.name,
        "contract": "; ".join(dict.fromkeys(contract)),
        "runs": list(_coded(verdicts)),
    }


def _coded(verdicts: list[Verdict]) -> Iterator[dict[str, Any]]:
    """Run-length code: equal neighbours as one, with their count; without what is zero or empty."""
    runs: list[tuple[int, Verdict]] = []
    for verdict in verdicts:
        if runs and runs[-1][1] == verdict:
            runs[-1] = (runs[-1][0] + 1, verdict)
        else:
            runs.append((1, verdict))
    for count, verdict in runs:
        yield {"count": count} | {key: value for key, value in verdict._asdict().items() if value}


def copy_cost() -> float:
    """Nanoseconds to copy one page out of a mapping whose pages are in the cache: what an extra page costs at least."""
    with Mapping(COPIED_PAGES) as mapping:
        took = float(lib.stage_copy_page_ns(mapping.struct))
    check(min(0, int(took)))
    return took


def prepare_guest() -> None:
    """Set up what only a throwaway machine may have changed: hugetlb pages."""
    try:
        with open(HUGETLB, "w") as file:
            file.write(str(HUGETLB_PAGES))
    except OSError:
        print("no hugetlb pages in this kernel", file=sys.stderr)


def serve(plan: dict[str, Any]) -> int:
    """Play a plan: first the machine and which interfaces work, then scenario by scenario."""
    from bench import host  # noqa: PLC0415  (pyperf: seconds under TCG)

    if plan["guest"]:
        prepare_guest()
    reasons = interfaces.probe_all()
    unavailable = {name: list(why) for name in plan["interfaces"] if (why := reasons[name])}
    metadata = host.record() | {"copy_page_ns": copy_cost()}
    say({"type": "host", "metadata": metadata, "unavailable": unavailable})
    for name in plan["scenarios"]:
        for interface in plan["interfaces"]:
            if interface not in unavailable:
                say(perform(name, interfaces.find(interface), plan["times"]))
    return 0


def main(argv: list[str]) -> int:
    """Take `--plan JSON`."""
    _, text = argv
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's to answer, and it ends this process
    die_with_parent()
    try:
        return serve(json.loads(text))
    except (OSError, BenchError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
