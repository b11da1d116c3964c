# SPDX-License-Identifier: GPL-2.0-only
"""Makes small invented results through the coder of records. The numbers mean nothing: for tests only."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from bench.plan import catalogue, records
from bench.plan.interfaces import INSTEAD, INTERFACES, Reason, form
from bench.plan.kinds import KINDS
from bench.plan.plan import Plan
from bench.plan.points import Point
from bench.plan.records import (
    INSTRUCTIONS,
    TIME,
    Beside,
    Facts,
    Failed,
    Machine,
    Messages,
    Played,
    Plays,
    Record,
    Series,
    Timed,
)
from bench.store import log

ALL = ("none", "clear_refs", "scan-softdirty", "scan-wp")
SIZES = (1, 10, 100, 1000, 10000, 65536)
# seconds per call and per page of the mapping, seconds per written page: reset, collect, tracked write
COST = {
    "clear_refs": (8e-6, 4e-9, 20e-9, 60e-9),
    "scan-softdirty": (8e-6, 4e-9, 5e-9, 60e-9),
    "scan-wp": (1.5e-6, 2e-9, 3e-9, 90e-9),
    "v6": (2e-6, 3e-9, 4e-9, 60e-9),
    "v6-no-reused": (2e-6, 3e-9, 4e-9, 60e-9),
    "uffd-sync": (2e-6, 5e-9, 1e-9, 6e-6),
    "mprotect": (2e-6, 5e-9, 1e-9, 3e-6),
}
HOST: Facts = {
    "where": "kvm",
    "kernel_release": "6.12.107+deb13-cloud-amd64",
    "kernel_version": "#1 SMP PREEMPT_DYNAMIC Debian 6.12.107-1 (2026-11-01)",
    "cpu_model_name": "Invented CPU E5-0000 @ 0.00GHz",
    "cpu_count": 2,
    "mitigations": "spectre_v2: none of this is real",
    "cmdline": "console=ttyS0 quiet",
    "page_size": 4096,
    "clock_ns": 21.5,
    "syscall_ns": 83.0,
    "perf_version": "2.10.0",
    "python_version": "3.11.2 (64-bit)",
    "tsc_hz": 2.5e9,
}
COUNTED = "tcg-icount"  # where= that makes a result of instructions
COMMAND = "./bench.py run --suite quick --seed 42"
LOOPS = 4  # intervals a value
# shares of what the kernel executes in a phase, by function
FUNCTIONS = {
    "reset": {"clear_refs_pte_range": 0.6, "walk_pgd_range": 0.25, "flush_tlb_mm_range": 0.15},
    "dirty": {"handle_mm_fault": 0.5, "do_wp_page.isra.0": 0.3, "asm_exc_page_fault": 0.2},
    "collect": {"pagemap_pmd_range": 0.7, "vm_normal_page": 0.3},
    "collect_reset": {"pagemap_scan_pmd_entry": 0.9, "tlb_finish_mmu": 0.1},
    "act": {"copy_page_range": 1.0},
}
USER = 10  # instructions of the program in each phase
FOREIGN = {"timer_interrupt": 700, "tick_sched_handle": 300}


def points() -> list[tuple[str, int, float]]:
    """(workload, pages, dirty percent) of a suite like `quick`."""
    sweep = [("random", pages, dirty) for pages, dirty in product(SIZES, (1.0, 10.0, 50.0))]
    ends = [(name, pages, dirty) for pages in SIZES for name, dirty in (("idle", 0.0), ("all", 100.0))]
    return sweep + ends + [(name, 65536, 10.0) for name in ("sequential", "strided", "clustered", "hotset")]


def phases(interface: str, atomic: bool, pages: int, written: int, then: str = "") -> dict[str, float]:
    """Invented seconds of each phase."""
    dirty = {"dirty": 40e-9 * written} if written else {}
    if interface == "none":
        return dirty
    if instead := INTERFACES[interface].instead:
        return {"reset" if instead == "wipe" else "act": (1 + INSTEAD.index(interface)) * 40e-9 * pages, **dirty}
    act = {"act": 160e-9 * written} if then else {}
    call, reset, collect, write = COST[interface]
    if written:
        dirty["dirty"] += write * written
    if atomic:
        return {**dirty, "collect_reset": call + (reset + collect) * pages * 0.8, **act}
    return {"reset": call + reset * pages, **dirty, "collect": call / 4 + collect * pages, **act}


def result(
    folder: Path,
    *,
    interfaces: Iterable[str] = ALL,
    what: Iterable[tuple[Any, ...]] | None = None,
    processes: int = 6,
    rounds: int = 4,
    noise: float | None = None,
    wrong: dict[tuple[str, str, int], tuple[int, int]] | None = None,
    boots: int = 1,
    luck: int = 7,
    factor: dict[str, float] | None = None,
    scaled: Callable[[str, str, Point], float] = lambda *_: 1.0,
    unavailable: dict[str, str] | None = None,
    refused: dict[str, str] | None = None,
    planned: int | None = None,
    suite: str = "quick",
    seed: int = 42,
    command: str = COMMAND,
    version: str = "1",
    exact: Mapping[str, Mapping[str, float]] | None = None,
    findings: dict[str, str] | None = None,
    messages: Iterable[Messages | Failed] = (),
    **facts: str | int | float,
) -> Path:
    """Write folder/records.jsonl and return the folder. what: the first fields of Point, three or more.

    noise: of each value, relative; 2 % unless instructions are counted (where="tcg-icount"), then 0.02 %;
    wrong: (form, workload, pages) -> (extra, missed) in one interval of each process; factor: form -> by how much all
    its phases are slower; luck: seed of the noise; unavailable: of the machine; refused: form -> why, at every point;
    planned: processes of each point that were planned, where not all of them ended; facts: of the machine.
    exact: phase -> function -> its share of the kernel's instructions, such as FUNCTIONS: a result of exact counts
    (of where="tcg-icount"); shares that do not add up to one make the phase longer. findings: of the machine; messages:
    of the kernel's log. scaled: form, phase and point -> by how much that is slower.
    """
    known = [Point(*one) for one in (points() if what is None else what)]
    plan = Plan(suite, command, version, tuple(interfaces), tuple(known), (), planned or processes, rounds, boots, seed)
    machine: Facts = HOST | {key: value for key, value in facts.items() if key != "file_system"}
    counted = machine["where"] == COUNTED
    rng = np.random.default_rng(luck)
    usual = 0.0002 if counted else 0.02
    made: dict[tuple[int, int], Timed] = {}
    for (index, point), process in product(enumerate(known), range(processes)):
        some = _series(point, plan, wrong or {}, factor or {}, rng, usual if noise is None else noise, scaled)
        own: Facts = {"writes": point.dirty, "written_pages": point.dirty}
        own |= {"file_system": facts["file_system"]} if "file_system" in facts else {}
        made[process, index] = Timed(process * boots // processes, point, process, list(some), refused or {}, own)
    lines: list[Record] = [plan]
    if exact is not None:
        made = {key: one._replace(series=[_counts(some, exact) for some in one.series]) for key, one in made.items()}
    for boot in range(boots):
        why = {name: Reason(text, "") for name, text in (unavailable or {}).items()}
        lines.append(Machine(boot, machine, why, INSTRUCTIONS if counted else TIME, findings or {}))
        lines += [made[key] for key in sorted(made) if made[key].boot == boot]
    return write(folder, [*lines, *messages])


def _series(
    point: Point,
    plan: Plan,
    wrong: dict[tuple[str, str, int], tuple[int, int]],
    factor: dict[str, float],
    rng: np.random.Generator,
    noise: float,
    scaled: Callable[[str, str, Point], float],
) -> Iterator[Series]:
    """What one process measures: every form at one point."""
    for name, atomic in [
        (row.name, atomic) for row, atomic in point.forms(INTERFACES[name] for name in plan.interfaces)
    ]:
        label, count = form(name, atomic), plan.values * LOOPS
        extra, missed = wrong.get((label, point.workload, point.pages), (0, 0))
        took = phases(name, atomic, point.pages, point.dirty, point.then)
        took |= {"populate": 250e-9 * point.pages} if point.first else {}
        took |= {phase: ONCE[phase] * point.pages for phase in point.life_phases(INTERFACES[name])}
        values = {
            phase: (
                1e9
                * seconds
                * factor.get(label, 1.0)
                * scaled(label, phase, point)
                * rng.lognormal(0, noise, plan.values)
            ).tolist()
            for phase, seconds in took.items()
        }
        runs = f"{count - 1}x+0-0 1x+{extra}-{missed}" if extra or missed else ""
        orders = {str(KINDS[point.kind].order or 0): point.pages} if plan.folios else {}
        beside = _beside(point, label, atomic, rng)
        one = Series(name, atomic, count, extra, missed, values, {}, runs, beside=beside)
        yield one._replace(orders_before=orders, orders_after=orders)


# Invented seconds of a life's phases, for each page.
ONCE = {"open": 20e-9, "arm": 100e-9, "disarm": 300e-9, "close": 10e-9, "after": 5e-9}

# Nanoseconds of a bystander's operations: the usual one, and what one in twenty waits for, by form.
OPERATION, WAITS = (
    3000,
    {"clear_refs": 400_000, "scan-softdirty": 400_000} | dict.fromkeys(("scan-wp", "scan-wp atomic"), 20_000),
)


def _beside(point: Point, label: str, atomic: bool, rng: np.random.Generator) -> Beside:
    """What a bystander noted, where the point has one: all waiting is in the first call of the tracker."""
    if not point.bystanders:
        return Beside()
    usual = (OPERATION * rng.lognormal(0, 0.1, 95)).round().astype(int).tolist()
    slow = (WAITS.get(label, OPERATION) * rng.lognormal(0, 0.1, 5)).round().astype(int).tolist()
    phases = {"dirty": usual, "collect_reset" if atomic else "reset": slow} if label != "none" else {"dirty": usual}
    phases["any"] = [took for some in phases.values() for took in some]
    counts = {
        phase: {str(at): sum(bucket(took) == at for took in some) for at in sorted(set(map(bucket, some)))}
        for phase, some in phases.items()
    }
    return Beside(counts, {key: max(some) for key, some in phases.items()}, 100, sum(phases["any"]))


def bucket(took: int) -> int:
    """Where the core counts a time."""
    power = max(took.bit_length() - 1, 4)
    return took if took < 32 else (power - 4) * 32 + (took >> (power - 5)) % 32


def _counts(one: Series, shares: Mapping[str, Mapping[str, float]]) -> Series:
    """The series with exact counts: its values are what the functions and the program executed."""
    functions: dict[str, list[dict[str, int]]] = {}
    counters: dict[str, dict[str, list[float]]] = {}
    for phase, values in one.values.items():
        functions[phase] = [{name: round(part * value) for name, part in shares[phase].items()} for value in values]
        kernel = [float(sum(some.values())) for some in functions[phase]]
        more = {"loads": 0.3, "stores": 0.1, "faults": 1e-4, "invlpg": 1e-5, "invpcid": 0, "cr3": 1e-5, "ipi": 0}
        counters[phase] = {"user": [USER] * len(values), "kernel": kernel, "foreign": [1000.0] * len(values)}
        counters[phase] |= {name: [float(round(part * value)) for value in kernel] for name, part in more.items()}
    whole = {phase: [USER + value for value in some["kernel"]] for phase, some in counters.items()}
    foreign = {phase: [dict(FOREIGN) for _ in some] for phase, some in whole.items()}
    return one._replace(values=whole, counters=counters, functions=functions, foreign=foreign)


# What an invented run of the suite meaning found; what is not named was exact.
NAMES = ("clear_refs", "scan-wp", "uffd-sync")
SCENARIOS = ("plain", "merge_mmap_after", "fork_child_writes", "writers_separate", "swapped")
_NO_SWAP = [Plays(1, why="there is # no swap", remedy="swapon")]
PLAYED = {
    ("plain", "clear_refs"): [Plays(100, written=2)],
    ("merge_mmap_after", "clear_refs"): [Plays(100, extra=7, broken=7, written=1)],
    ("fork_child_writes", "clear_refs"): [Plays(100, extra=3, written=1)],
    ("fork_child_writes", "scan-wp"): [Plays(100, missed=1, broken=1, written=1)],
    ("writers_separate", "clear_refs"): [Plays(97), Plays(3, missed=4, broken=4)],
    ("swapped", "clear_refs"): _NO_SWAP,
    ("swapped", "scan-wp"): _NO_SWAP,
}


def played(
    folder: Path,
    release: str = "6.12.117+deb13-cloud-amd64",
    runs: Mapping[tuple[str, str], list[Plays]] = PLAYED,
    names: Iterable[str] = NAMES,
    scenarios: Iterable[str] = SCENARIOS,
    findings: dict[str, str] | None = None,
    messages: Iterable[Messages | Failed] = (),
    **facts: str | int | float,
) -> Path:
    """Write folder/records.jsonl of the suite meaning. With uffd-sync nothing can be played."""
    plan = Plan("meaning", "./bench.py run --suite meaning", "1", tuple(names), (), tuple(scenarios))
    machine: Facts = HOST | {"kernel_release": release, "kernel_version": "#1 SMP", "copy_page_ns": 100.0} | facts
    refused = {"uffd-sync": Reason("userfaultfd is refused", "allow it")}
    lines: list[Record] = [plan, Machine(0, machine, refused, findings=findings or {})]
    for scenario, name in product(plan.scenarios, plan.interfaces):
        if name != "uffd-sync" and catalogue.suits(scenario, name):
            contract = "new memory counts" if scenario.startswith("fork") else ""
            found = runs.get((scenario, name), [Plays(100, written=1)])
            lines.append(Played(0, scenario, name, contract, found))
    return write(folder, [*lines, *messages])


def write(folder: Path, lines: Iterable[Record]) -> Path:
    """Write a log of these records."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{records.encode(one)}\n" for one in lines)
    (folder / log.FILE).write_text(text, encoding="utf-8")
    return folder
