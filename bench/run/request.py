# SPDX-License-Identifier: GPL-2.0-only
"""What `run` can be asked for: every option, declared once, and the line that repeats a request."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import click

from bench.errors import BadInput
from bench.plan.arches import ARCHES, USUAL
from bench.plan.settings import MEMORY, SETTINGS
from bench.plan.suites import PLAYED
from bench.run import tell
from bench.run.options import (
    COUNTS,
    FOLDER,
    FOR_CI,
    GUEST,
    HERE,
    NAMES,
    OFTEN,
    OUTPUT,
    PERCENTS,
    PRECISION,
    SCENARIOS,
    SIZE,
    TEXT,
    TIMINGS,
    WHAT,
    WHERE,
    Boots,
    More,
    UpTo,
    Whole,
    declared,
    table,
)

BOOTS = 11  # of a guest that has a clock, to share the processes
COUNTED_BOOTS = 5  # of one that counts instructions, a process in each: they repeat
LEAST_BOOTS = 3  # of those: enough where their medians agree
MOST_PROCESSES = 1000
QUICK = 6  # processes, and boots of a clock: fewer have no confidence interval (bench/stats/samples.py)
RIGOROUS = 2  # times the default
UNTIL_PROCESSES, UNTIL_BOOTS = 10, 4  # times the default are tried at most, on the running kernel and in guests
_OFTEN = Whole(1, MOST_PROCESSES)


@dataclass(frozen=True)
class Request:
    """The options of `run`, as typed. Each field declares its option; `settings` are fields of Point, with values."""

    # fmt: off
    suite: str = declared(
        "--suite", TEXT, WHAT, "One of the suites of ./bench.py list.", default="quick", metavar="NAME")
    workload: tuple[str, ...] = declared(
        "--workload", NAMES, WHAT, "A workload of ./bench.py list, or several: random,idle.",
        needs=(TIMINGS,), default=(), metavar="NAME,...")
    pages: Sequence[int] | None = declared(
        "--pages", COUNTS, WHAT, "Sizes of the mapping in pages of 4 KiB (or the guest's --arch), such as 1,1000,16Ki.",
        needs=(TIMINGS,))
    dirty: Sequence[float] | None = declared(
        "--dirty", PERCENTS, WHAT, "Pages that each interval writes, in percent of the mapping.", needs=(TIMINGS,))
    interface: tuple[str, ...] = declared(
        "--interface", NAMES, WHAT, "Only this interface, or these, beside the untracked baseline.  "
        "[default: the suite's]", default=(), metavar="NAME,...")
    pattern: str | None = declared(
        "--filter", TEXT, WHAT, "Only points or scenarios whose name matches, such as 'random*dirty=10%'; "
        "| between several patterns.",
        metavar="GLOB")
    settings: Mapping[str, list[Any]] = field(default_factory=dict)
    directory: str | None = declared(
        "--directory", FOLDER, MEMORY,
        "Where --kind file-shared and file-private make their files.  [default: a tmpfs]", needs=(TIMINGS, HERE))
    processes: int | None = declared(
        "--processes", _OFTEN, OFTEN, "Worker processes that measure each point, over all boots.  "
        "[default: the suite's, or one a boot where instructions are counted]",
        needs=(TIMINGS,), neutral=1, metavar="N")
    values: int | None = declared(
        "--values", _OFTEN, OFTEN, "Values of each process; of a scenario, how often it is played.  "
        "[default: the suite's]", metavar="N")
    boots: int | None = declared(
        "--boots", Boots(), OFTEN, "Boots of the virtual machine, which share the processes: N; N-M ends after N if "
        "nearly all their medians agree within 0.01 %; +N, with --resume, adds some.  "
        f"[default: {BOOTS}, or {LEAST_BOOTS}-{COUNTED_BOOTS} where instructions are counted]",
        needs=(TIMINGS, GUEST), neutral=1, metavar="N")
    quick: bool | None = declared(
        "--quick", click.BOOL, OFTEN, "A first look: as few processes and boots as have a confidence interval.",
        needs=(TIMINGS,), repeated=False)
    rigorous: bool | None = declared(
        "--rigorous", click.BOOL, OFTEN, "Twice the processes and boots that are the default.",
        needs=(TIMINGS,), repeated=False)
    until: float | None = declared(
        "--until", PRECISION, OFTEN, "Measure until the 95 % confidence interval of each cost is within this, such as "
        "1%, of its value. --processes and --boots then say how many at most.  [default: ten times the usual "
        "processes, in guests four times the boots]", needs=(TIMINGS,), metavar="PERCENT")
    seed: int = declared(
        "--seed", Whole(0, 2**32 - 1), OFTEN,
        "Decides which pages are written, and the order in which interfaces are measured.",
        needs=(TIMINGS,), default=42, metavar="N")
    where: str = declared(
        "--where", click.Choice(["auto", "here", "vm"]), WHERE, "The running kernel, or a virtual machine; auto takes "
        "the running kernel if it has the legacy interface and the ioctl.", default="auto")
    kernel: str | None = declared(
        "--kernel", TEXT, WHERE, "What the virtual machine boots: a bzImage, a kernel tree that was built, a revision "
        "of one to build, as linux@v6.12, or Debian's kernel as debian:6.12; debian: alone lists them.  "
        "[default: debian:6.12]", needs=(GUEST,), metavar="IMAGE")
    arch: str = declared(
        "--arch", click.Choice(list(ARCHES)), WHERE, "Its architecture. arm64 and riscv64 are emulated, with Debian's "
        "kernels and Python for them; arm64-16k has pages of 16 KiB.", needs=(GUEST,), default=USUAL)
    accel: str = declared(
        "--accel", click.Choice(["auto", "kvm", "tcg", "icount"]), WHERE, "How QEMU runs it. icount emulates, with a "
        "clock that counts instructions; auto takes that where KVM doesn't work.", needs=(GUEST,), default="auto")
    append: str | None = declared(
        "--append", TEXT, WHERE, "Added to its kernel command line, such as mitigations=off.", needs=(GUEST,))
    memory: int | None = declared(
        "--memory", SIZE, WHERE, "Its memory, such as 2G.  [default: what the points need]", needs=(GUEST,))
    cpus: int | None = declared(
        "--cpus", Whole(1, 64), WHERE, "Its CPUs. Counting instructions takes one.  [default: one, or all of "
        "the machine's where threads run]", needs=(GUEST,), metavar="N")
    qemu_args: tuple[str, ...] = declared(
        "--qemu-arg", TEXT, WHERE, "Added to QEMU's arguments, such as '-device virtio-rng-pci'; may be repeated.",
        needs=(GUEST,), default=())
    name: str | None = declared(
        "--name", TEXT, OUTPUT, "Folder of the result below results/, or a path.  [default: the suite and the time]",
        repeated=False)
    resume: str | None = declared(
        "--resume", TEXT, OUTPUT, "Go on with a result: do what its plan lacks, and with --boots +N more.",
        metavar="NAME", repeated=False)
    force: bool | None = declared(
        "--force", click.BOOL, OUTPUT, "Replace the result, or the one matrix, that has this name.", repeated=False)
    form: str = declared(
        "--format", click.Choice(["text", *FOR_CI]), OUTPUT, "What is printed at the end; ktap, tap and kcidb, for "
        "kernel CI, are for the suite meaning.", needs=(SCENARIOS,), default="text", repeated=False)
    dry_run: bool | None = declared(
        "--dry-run", click.BOOL, OUTPUT, "Say what would be measured, where, how long that takes, and how much memory "
        "and disk; do nothing.", repeated=False)
    quiet: bool | None = declared(
        "--quiet", click.BOOL, OUTPUT, "Say nothing but errors and the report.", repeated=False)
    verbose: bool | None = declared(
        "--verbose", click.BOOL, OUTPUT, "Say each job with its seconds.", repeated=False)
    progress: str = declared(
        "--progress", click.Choice([tell.AUTO, tell.JSON, tell.NONE]), OUTPUT, "On standard error: a bar or lines; "
        "nothing but JSON, an object a line (results/README.md); or no progress.", default=tell.AUTO, repeated=False)
    # fmt: on

    @classmethod
    def typed(cls, values: Mapping[str, Any]) -> Request:
        """Return the request of a command line that click has read."""
        typed = {key: values[key] for key in SETTINGS if values[key]}  # in the table's order, not in that of typing
        chosen = {key: [1] if value is True else value for key, value in typed.items()}
        return cls(settings=chosen, **{key: value for key, value in values.items() if key not in SETTINGS})

    def value(self, key: str) -> Any:
        """Return what an option was given."""
        return self.settings.get(key) if key in SETTINGS else getattr(self, key)

    @property
    def command(self) -> str:
        """The exact line that repeats a request, once everything in it is decided."""
        words = ["./bench.py", "run"]
        for row in OPTIONS:
            if row.repeated and all(NEEDS[need].met(self) for need in row.needs):
                words += row.words(self.value(row.key))
        return shlex.join(words)

    def refuse(self) -> None:
        """Raise BadInput for an option that has no meaning beside the others."""
        if isinstance(self.boots, More):
            raise BadInput(f"--boots {self.boots} adds to a result", "say which with --resume NAME")
        self._refuse_two()
        for row in OPTIONS:
            for need in (NEEDS[need] for need in row.needs):
                if row.given(self.value(row.key)) and not need.met(self):
                    raise BadInput(need.error.format(row.name), need.hint.format(row.name))

    def _refuse_two(self) -> None:
        """Raise BadInput for two options that say the same, each in its own way."""
        names = {row.key: row.name for row in OPTIONS}
        for one, other in EXCLUSIVE:
            if self.value(one) is not None and self.value(other) is not None:
                raise BadInput(f"{names[one]} and {names[other]} exclude each other", "give one of them")
        if self.until and isinstance(self.boots, UpTo):
            raise BadInput(
                f"--until and --boots {self.boots} each say when boots are enough", f"give --boots {int(self.boots)}"
            )

    def refuse_beside_resume(self) -> None:
        """Raise BadInput for an option that would change the plan of a result."""
        self._refuse_two()
        for row in OPTIONS:
            if row.key not in BESIDE_RESUME and row.given(self.value(row.key)):
                raise BadInput(
                    f"--resume goes on with the plan of {self.resume}, which {row.name} would change",
                    f"leave out {row.name}, or measure a new result without --resume",
                )

    @property
    def asked(self) -> set[str]:
        """What the options need that were given."""
        return {need for row in OPTIONS if row.given(self.value(row.key)) for need in row.needs}

    @property
    def style(self) -> tell.Style:
        """How things are told."""
        return tell.Style(self.progress, quiet=bool(self.quiet), verbose=bool(self.verbose))

    @property
    def own_points(self) -> bool:
        """Whether it names points of its own, instead of the suite's."""
        return bool(self.workload or self.pages or self.dirty or self.settings)


OPTIONS = table(Request)
# What --resume goes together with, and what excludes each other.
BESIDE_RESUME = ("resume", "boots", "form", "dry_run", "quiet", "verbose", "progress")
EXCLUSIVE = (
    *((one, other) for one in ("quick", "rigorous") for other in ("processes", "boots", "until")),
    ("quick", "rigorous"),
    ("quiet", "verbose"),
)


class Need(NamedTuple):
    """What an option may need, and the error and hint where that is not so."""

    met: Callable[[Request], bool]
    error: str
    hint: str


NEEDS = {
    TIMINGS: Need(
        lambda request: request.suite not in PLAYED,
        "{} has no meaning in a suite of scenarios",
        "it boots once and plays scenarios one after the other: --filter GLOB chooses them, --values N says how often",
    ),
    SCENARIOS: Need(
        lambda request: request.suite in PLAYED,
        "{} ktap, tap and kcidb are for suites of scenarios",
        "leave out {}, or give --suite meaning",
    ),
    GUEST: Need(
        lambda request: request.where != "here", "{} needs a virtual machine", "give --where vm, or leave out {}"
    ),
    HERE: Need(
        lambda request: request.where != "vm",
        "{} needs the running kernel: a guest has no file system but tmpfs",
        "give --where here, or leave out {}",
    ),
}
