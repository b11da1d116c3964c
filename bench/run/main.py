# SPDX-License-Identifier: GPL-2.0-only
"""The command line: probe, list, run, report, compare, cover-letter. What each does: bench/run/commands.py."""

from __future__ import annotations

import errno
import io
import os
import re
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import click

from bench import place, signals
from bench.errors import BenchError
from bench.plan.arches import ARCHES, USUAL
from bench.plan.records import PHASES, WAITS
from bench.run import commands, completing, measuring, options, tell
from bench.run.request import OPTIONS, Request

METRICS = ("cost", "interval", "tracker", "tracked", *PHASES, "life", *WAITS)
PROGRAM, OUTPUT = place.PROGRAM, "standard output"
NO_ARGUMENTS = getattr(click.exceptions, "NoArgsIsHelpError", ())  # since click 8.2; before, it is no error
LEAST_MEMORY = 512 << 20  # bytes of addresses
# Beginnings of variables that NumPy and pandas read when they are imported, and end us where they don't like them.
_OF_LIBRARIES = ("SOURCE_DATE_EPOCH", "NUMPY_MADVISE_HUGEPAGE", "PANDAS_")


NAMES = completing.names
# Of each command that compares.
METRIC = click.option(
    "--metric",
    type=click.Choice(METRICS),
    default="cost",
    show_default=True,
    help="What to compare. cost: the whole interval less the untracked writes; interval: the whole interval; tracker, "
    "tracked: what each of the two programs pays; or one phase.",
)
CASES = click.option(
    "--filter",
    "pattern",
    type=options.TEXT,
    metavar="GLOB",
    default="*",
    help="Only cases whose name matches, such as 'random*dirty=10% scan-wp'; | between several patterns.",
)


class Limit(click.ParamType[float]):
    """A percentage of at least 0, such as 3%."""

    name = "PERCENT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number before the sign."""
        try:
            found = options.percentage(str(value))
        except ValueError:
            found = -1.0
        if found < 0:
            self.fail(f"{str(value)[:60]!r} is not a percentage such as 3%", param, ctx)
        return found


class Gate(Limit):
    """A percentage, or which change of a verdict fails."""

    name = "PERCENT|broken|worse|change"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number before the sign, or the word."""
        return value if value in self.name.split("|")[1:] else super().convert(value, param, ctx)


def example(text: str) -> str:
    """Show the example on lines of its own, unwrapped."""
    return f"\b\nExample:\n  {text}"


FAIL_ON = (
    "Exit with 1 if a case is significantly worse by more than this, or if pages are wrong, a probe is answered wrong, "
    "cases are missing or the kernel's log complains (WARNING, BUG, lockdep ...) and the base's did not; with 3 if too "
    "few runs, or changes beyond it that may be chance, leave that open. Of the suite meaning: broken: a verdict is "
    "broken that was not; worse, or any percentage: a verdict is worse; change: one is another."
)
STATUS = """\b
Exit status:
  0  all went well; with --fail-on: nothing is worse, and there were enough runs
     to tell
  1  an interface answered wrong (probe, run, matrix; known misses count too), a
     scenario of --format ktap or tap is not ok, config --kernel lacks something,
     or --fail-on found something worse
  2  bad usage or input, or the system refused something
  3  nothing could be measured, a measurement failed, --fail-on can't tell, or
     this suite has a fault, which it says
  4  with --format tap: nothing could be played, which kselftest calls skipped
  128+N  signal N ended it: 129 HUP, 130 INT (Ctrl-C), 131 QUIT, 143 TERM; 141
     whoever read its output did not want all of it
  bisect has those of git bisect run: 0, 1, 125, 255

"""

# What may help where the system refuses something
REFUSED = {
    errno.ENOSPC: "is the disk full? TMPDIR and XDG_CACHE_HOME choose others for what is not a result",
    errno.EDQUOT: "this user's share of the disk is used up",
    errno.EFBIG: "is there a limit on the size of files (ulimit -a)?",
    errno.EROFS: "its file system may only be read",
    errno.ENOENT: "was it moved or removed meanwhile?",
    errno.EACCES: "this user may not do that there",
    errno.EPERM: "this user may not do that there",
    errno.ENOMEM: "is there a limit on memory (ulimit -a)?",
    errno.EAGAIN: "is there a limit on processes (ulimit -a)?",
    errno.EMFILE: "is there a limit on open files (ulimit -a)?",
    errno.ENFILE: "this machine has too many open files",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EIO: "is the disk sound, and the terminal still there?",
}


class Ordered(click.Group):
    """A group whose --help has the commands in the order in which a person needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands as they are declared."""
        return list(self.commands)


def _version(context: click.Context) -> None:
    """Print the version: of a checkout git says it, which takes its time, so it is asked only now."""
    print(f"{place.COMMAND}, version {place.version()}")
    context.exit()


@click.group(
    cls=Ordered,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=STATUS + example(f"{PROGRAM} run"),
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, param, wanted: _version(context) if wanted else None,
    help="Show the version and exit.",
)
def main() -> None:
    """Measure the PAGEMAP_SCAN ioctl against clear_refs and /proc/PID/pagemap, checked page by page."""


@main.command(epilog=example(f"{PROGRAM} probe --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--kernel", metavar="IMAGE", help="Say it of a virtual machine that boots this, as run --kernel.")
@click.option("--arch", type=click.Choice(list(ARCHES)), help="Say it of one of this architecture, as run --arch.")
@click.option("--accel", type=click.Choice(["auto", "kvm", "tcg", "icount"]), help="How QEMU runs that.")
def probe(as_json: bool, kernel: str | None, arch: str | None, accel: str | None) -> None:
    """Say which interfaces work here, and what disturbs; with --kernel or --arch which work in a virtual machine."""
    if kernel or arch or accel:
        from bench.run import probing  # noqa: PLC0415  (the C core)

        probing.probe(kernel or "", arch or USUAL, accel or "auto", as_json)
    else:
        commands.probe(as_json)


@main.command("list", epilog=example(f"{PROGRAM} list"))
def list_() -> None:
    """List suites, workloads, interfaces, results and more."""
    commands.list_everything()


@main.command(
    cls=options.grouped(OPTIONS),
    epilog=example(f"{PROGRAM} run --suite quick --where vm --kernel arch/x86/boot/bzImage --name patched"),
)
@options.add(OPTIONS)
def run(**values: Any) -> None:
    """Measure, check and report.

    Several worker processes measure every point of the suite with all interfaces. With --workload, --pages, --dirty or
    an option of a mapping's memory, its writers or how collect asks, the points are instead every combination of what
    is given; what is not given is random, 10240 pages and 10 %. Options with a comma take several values. Sizes may end
    in K, M or G, as 16K or 16Ki, for 1024, 1024^2 and 1024^3.

    The result is the folder results/NAME: records.jsonl (all that was measured), report.txt, plots, and suite.json for
    python -m pyperf.
    """
    request = Request.typed(values)
    if request.dry_run:
        from bench.run import foresee  # noqa: PLC0415  (rich)

        foresee.run(request)
    else:
        measuring.run(request)


class Named(click.ParamType[tuple[str, str]]):
    """A kernel with the name of its result: NAME=IMAGE."""

    name = "NAME=IMAGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return name and image."""
        name, _, image = str(value).partition("=")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,60}", name) or options.trouble(image):
            self.fail(f"{str(value)[:60]!r} is not NAME=IMAGE, such as base=debian:6.12", param, ctx)
        return name, image


OF_ALL = [row for row in OPTIONS if row.key not in ("kernel", "form")]  # options of `run` that `matrix` has too


@main.command(
    cls=options.grouped(OF_ALL, kernels=options.WHERE),
    epilog=example(f"{PROGRAM} matrix --kernel base=debian:6.12 --kernel patched=arch/x86/boot/bzImage --name series"),
)
@click.option(
    "--kernel",
    "kernels",
    type=Named(),
    multiple=True,
    help="A kernel, as run --kernel takes it, with a name; the base first. With --where here its release, as uname -r "
    "prints it, or its image: the one that is running is measured, once a boot.",
)
@click.option(
    "--fail-on",
    type=Gate(),
    help="Exit with 1 if a case is worse by more than this, or a result is wrong; see compare.",
)
@options.add(OF_ALL)
def matrix(kernels: tuple[tuple[str, str], ...], fail_on: float | str | None, **values: Any) -> None:
    """Measure base and patched kernels in turn, and compare them.

    The kernels boot one after the other in an order that the seed shuffles, the base first and last: how far its own
    boots drift apart limits what is claimed. Each has its own result, results/NAME/KERNEL; results/NAME has the
    comparison, its plots, and cover-letter.txt. What was interrupted goes on with --resume NAME.

    With --where here a real machine is measured, one boot at a time: run it, boot the next kernel, and go on with
    --resume NAME, until the matrix is full.
    """
    from bench.run import foresee  # noqa: PLC0415  (rich)
    from bench.run import matrix as matrices  # noqa: PLC0415

    wanted = matrices.Wanted(kernels, Request.typed(values | {"kernel": None, "form": "text"}), fail_on)
    (foresee.matrix if wanted.request.dry_run else matrices.run)(wanted)


@main.command(epilog=example(f"{PROGRAM} report patched --all"))
@click.argument("names", metavar="NAME...", nargs=-1, required=True, type=options.TEXT, shell_complete=NAMES)
@click.option("--all", "everything", is_flag=True, help="All tables and the whole machine, not one page (text only).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "html", "csv", *options.FOR_CI, *options.FOR_LABS]),
    default="text",
    show_default=True,
    help="html: one self-contained file; csv: a line per value (results/README.md); of verdicts, for kernel CI: ktap "
    "as kunit.py reads it, tap as kselftest's programs print it; of verdicts and times: kcidb as KernelCI's database "
    "takes it, lkp, lava and tmt for labs (bench/labs/README.md).",
)
@click.option(
    "--baseline",
    type=options.TEXT,
    shell_complete=NAMES,
    metavar="RESULT",
    help="Of verdicts for kernel CI: what was not ok in this result is expected, and only what is worse now fails.",
)
@click.option(
    "--build",
    type=options.BUILD,
    metavar="ORIGIN:ID",
    help="Of kcidb: the build these are verdicts of, as your CI reported it.  [default: one is made up]",
)
@click.option(
    "--name", "into", type=options.TEXT, help="Write table and plot of several results to this folder below results/."
)
def report(
    names: tuple[str, ...], everything: bool, form: str, into: str | None, baseline: str | None, build: str | None
) -> None:
    """Print one page about a result and draw its plots. NAME is a folder below results/, or a path.

    Results of the suite meaning may be several: the table then has a column for each kernel.
    """
    commands.report(*names, everything=everything, form=form, into=into, baseline=baseline, build=build)


@main.command(epilog=example(f"{PROGRAM} compare base patched --fail-on 3%"))
@click.argument("names", metavar="BASE NEW...", nargs=-1, required=True, type=options.TEXT, shell_complete=NAMES)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "csv", "json", "html"]),
    default="text",
    show_default=True,
    help="results/README.md says what csv and json hold; html: one self-contained page.",
)
@METRIC
@CASES
@click.option(
    "--sort",
    type=click.Choice(["case", "change", "p"]),
    default="case",
    show_default=True,
    help="Order of the cases: as measured, by change, or by p-value.",
)
@click.option(
    "--sign",
    type=click.Choice(["change", "improvement"]),
    default="change",
    show_default=True,
    help="change: new/old - 1, less is better; improvement: 1 - new/old, more is better.",
)
@click.option(
    "--alpha",
    type=options.PROBABILITY,
    default=0.05,
    show_default=True,
    metavar="P",
    help="Level of significance, over all cases together.",
)
@click.option("--fail-on", type=Gate(), help=FAIL_ON)
@click.option("--name", type=options.TEXT, help="Write the comparison and its plot to this folder below results/, too.")
def compare(**values: Any) -> None:
    """Compare results with the first one, case by case.

    BASE and NEW are folders below results/, or paths. Of results of the suite meaning it is which verdicts changed,
    from what to what; ./bench.py report BASE NEW has them all, a column for each kernel.
    """
    commands.compare(commands.Comparing(**values))


@main.command(epilog=example(f"{PROGRAM} functions base patched --phase collect"))
@click.argument("names", metavar="RESULT...", nargs=-1, required=True, type=options.TEXT, shell_complete=NAMES)
@click.option("--phase", type=click.Choice(PHASES), help="Only this phase.")
@click.option(
    "--filter",
    "pattern",
    type=options.TEXT,
    metavar="GLOB",
    help="Cases whose name matches, such as 'random*dirty=10% scan-wp', instead of the representative ones.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "html"]),
    default="text",
    show_default=True,
    help="results/README.md says what csv holds.",
)
@click.option(
    "--vmlinux", type=options.TEXT, metavar="FILE", help="Of the kernel, with debug information: adds file and line."
)
def functions(**values: Any) -> None:
    """Say which kernel functions a phase consists of.

    Of one result it is where they go, by default at the largest mapping with the usual share of written pages. Of
    several results it is which functions account for each phase that differs from the first one. The results must have
    been counted by function: in a guest (run --where vm), or sampled where perf works.
    """
    from bench.run.functions import Functions, run  # noqa: PLC0415  (--help needs none of it)

    run(Functions(**values))


@main.command(epilog=example(f"{PROGRAM} history --only 6.12 --limit 2"))
@click.option(
    "--only",
    type=options.NAMES,
    callback=options.NAMES.each,
    multiple=True,
    metavar="VERSION,...",
    help="Only this kernel, such as 7.3.4, those of a series, 6.12, or a pattern, '7.*'; or several.",
)
@click.option(
    "--limit",
    type=options.Whole(0, 1000),
    metavar="N",
    help="Measure at most so many kernels, the oldest first; one that can't be measured does not count. 0: none, only "
    "write the page of what there is.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be measured.")
@click.option(
    "--name",
    type=options.TEXT,
    default="history",
    show_default=True,
    help="Folder of the history below results/, or a path.",
)
def history(**values: Any) -> None:
    """Measure each of Debian's kernels once, and say what changed from one to the next.

    Of every cloud kernel that Debian's mirror has, instructions are counted at a few points (the suite history) and the
    scenarios are played (the suite meaning): about two minutes each. What is kept of a kernel is small, and measured
    once: the same command goes on where it was ended, and adds new kernels. One that can't be measured is named, and
    the others go on.

    The page says what got dearer, cheaper, wrong and right, and between which two releases; report.html beside the data
    has all of it, with plots.
    """
    from bench.run import history as histories  # noqa: PLC0415  (--help needs none of it)

    histories.run(histories.History(**values))


@main.command(
    "cover-letter",
    epilog=example('GIT_EDITOR="$PWD/bench.py cover-letter base patched --into" b4 prep --edit-cover'),
)
@click.argument("names", metavar="RESULT...", nargs=-1, required=True, type=options.TEXT, shell_complete=NAMES)
@click.option(
    "--into",
    type=options.TEXT,
    metavar="FILE",
    help="Put them into this cover letter or commit message instead of printing them.",
)
@METRIC
@CASES
@click.option("--all", "everything", is_flag=True, help="Every case, not the representative ones.")
def cover_letter(names: tuple[str, ...], into: str | None, **shown: Any) -> None:
    """Print a cover letter's block of results.

    Of one result it is the main table, of several base against patched. With --into, what is between the lines
    'Benchmark results' and '(end of results)' of FILE is replaced, or added where a reader expects it. Doing it again
    changes nothing.

    Which cases of base against patched are shown does not depend on what came out: all interfaces at the largest
    mapping with the fewest and the most written pages, the means of all cases, and the extremes. --metric, --filter and
    --all are for several results.
    """
    commands.cover_letter(names, into, **shown)


@main.command(epilog=example("git bisect run ~/pagemap-bench/bench.py bisect good --fail-on 1%"))
@click.argument("good", metavar="GOOD", type=options.TEXT, shell_complete=NAMES)
@click.option("--fail-on", type=Limit(), required=True, help="A commit is bad if a case is worse by more; see compare.")
@METRIC
@CASES
def bisect(good: str, fail_on: float, metric: str, pattern: str) -> None:
    """Judge the commit of this folder, for git bisect run.

    This folder is a kernel tree. GOOD is the result of a good commit, measured in a virtual machine. The same is
    measured of this one, into GOOD-bisect/COMMIT beside it. The commit is built apart: the tree's files are not
    touched, but its .config is used.

    Exits with 0 for a good commit, 1 for a bad one, 125 for one that does not build, boot or give a verdict, and 255
    for what has nothing to do with the commit, which ends the bisection.
    """
    from bench.run import bisecting  # noqa: PLC0415  (--help needs none of it)

    bisecting.bisect(good, fail_on, metric, pattern)


@main.command(epilog=example(f"{PROGRAM} config > bench.config"))
@click.option(
    "--interface",
    type=options.NAMES,
    callback=options.NAMES.each,
    multiple=True,
    metavar="NAME,...",
    shell_complete=NAMES,
    help="Only what this interface needs, or these.  [default: all]",
)
@click.option(
    "--kernel",
    type=options.TEXT,
    metavar="IMAGE",
    help="Say what this kernel lacks instead: as of run, or a tree with a .config that was not built yet. "
    "Exit with 1 if it lacks something.",
)
@click.option(
    "--arch",
    type=click.Choice(list(ARCHES)),
    default=USUAL,
    show_default=True,
    help="The architecture of the kernel, as of run.",
)
def config(interface: tuple[str, ...], kernel: str | None, arch: str) -> None:
    """Say what configuration a kernel needs, or lacks.

    It is a fragment for scripts/kconfig/merge_config.sh of the kernel, and for vng --build --config.
    """
    from bench.run import configs  # noqa: PLC0415  (--help needs none of it)

    configs.config(interface, kernel, arch)


@main.command(epilog=example(f"{PROGRAM} merge patched-laptop patched-server --name patched"))
@click.argument("names", metavar="RESULT...", nargs=-1, required=True, type=options.TEXT, shell_complete=NAMES)
@click.option("--name", type=options.TEXT, required=True, help="Folder of the new result below results/, or a path.")
def merge(names: tuple[str, ...], name: str) -> None:
    """Join results of several machines or boots.

    They are of one kernel. Which machine a boot is of is kept: report and compare say how much is between machines.
    """
    from bench.run import merging  # noqa: PLC0415  (rich)

    merging.merge(names, name)


@main.command(epilog=example(f"{PROGRAM} clean --dry-run"))
@click.option("--dry-run", is_flag=True, help="Only say what there is.")
def clean(dry_run: bool) -> None:
    """Remove the cache, and what killed runs left.

    The cache has kernels, Python for guests and more, and is made again where it is needed. While a run uses it it
    stays. Folders below results/ into which nothing was measured go too; a result is never removed.
    """
    from bench.run import cleaning  # noqa: PLC0415  (--help needs none of it)

    cleaning.clean(dry_run=dry_run)


@main.command(epilog=example(f'eval "$({PROGRAM} completion bash)"'))
@click.argument("shell", type=click.Choice(completing.SHELLS))
def completion(shell: str) -> None:
    """Print what makes a shell complete this command.

    Its commands, options and their values, and the names of results. It holds as long as that shell runs; a line in
    ~/.bashrc or ~/.zshrc (after compinit), or a file in ~/.config/fish/completions, makes it last.
    """
    print(completing.script(shell))


def fail(message: str, hint: str, status: int) -> int:
    """Print an error the one way there is, and return the exit status."""
    tell.failed(message, hint, status)
    return status


class Output(io.FileIO):
    """Standard output. What it refuses is known by its name."""

    def write(self, data: Any) -> int:
        """Write what fits. Raises OSError."""
        try:
            return super().write(data)
        except OSError as error:
            error.filename = OUTPUT
            raise


def _as_typed(command: click.Command) -> None:
    """Have --help, of a command and those below it, name the command as it is typed here."""
    command.help, command.epilog = place.typed(command.help or ""), place.typed(command.epilog or "")
    for param in command.params:
        if isinstance(param, click.Option):
            param.help = place.typed(param.help or "")
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        _as_typed(one)


if place.INSTALLED:
    _as_typed(main)


def entry() -> int:
    """Run a command; print what went wrong as one error and one hint, never as a traceback."""
    out, ours = sys.stdout, sys.stdout is sys.__stdout__
    if out and ours:  # names of files may be no text, and terminals know few letters
        raw = io.BufferedWriter(Output(1, "w", closefd=False))
        sys.stdout = io.TextIOWrapper(raw, out.encoding, "backslashreplace", line_buffering=out.isatty())
    status = _guarded(_command)
    refused = _guarded(lambda: sys.stdout.flush() or 0)
    return status or refused


def _guarded(what: Callable[[], int]) -> int:
    """Do something, say what went wrong, and return the status."""
    try:
        return what()
    except BenchError as error:
        return fail(str(error), error.hint, error.status)
    except KeyboardInterrupt as error:
        signals.answered()
        number = getattr(error, "signal", signal.SIGINT)
        return fail(f"interrupted by {number.name}", getattr(error, "hint", ""), 128 + number)
    except MemoryError:
        return fail("there is not enough memory", "is there a limit on it (ulimit -a)? else: fewer --pages", _usage())
    except ImportError as error:
        hint = "is there a limit on memory (ulimit -a)? if not, run: make setup"
        return fail(f"{error.name} can't be loaded: {error}", hint, _usage())
    except OSError as error:
        return _refused(error)
    except Exception:  # Python would make it 1, which says that a kernel is worse
        tell.choose(tell.style()._replace(quiet=False))  # the lines are part of the error
        for line in traceback.format_exc().splitlines():
            tell.note(line)
        hint = "please report it with the lines above; what was measured is kept"
        return fail("this is a fault of this suite", hint, 255 if _usage() == 255 else 3)


def _settle_libraries() -> None:
    """Have libraries do what we count on, whatever the environment says."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # each takes memory, and has nothing to do
    os.environ["MPLBACKEND"] = "agg"  # that of a notebook may not be there
    os.environ["MATPLOTLIBRC"] = os.devnull  # a person's own is about other plots, and may be no text
    for name, value in list(os.environ.items()):
        if name.startswith(_OF_LIBRARIES) or (name in ("COLUMNS", "LINES") and not value.isdecimal()):  # rich takes ²
            del os.environ[name]
    if any(option.startswith("e") for option in sys.warnoptions):  # PYTHONWARNINGS=error would have one end us
        warnings.resetwarnings()
    warnings.filterwarnings("ignore", "Glyph .* missing from font")  # in names of results: a box is drawn
    tell.libraries()


def _command() -> int:
    """Run what was typed."""
    _settle_libraries()
    least, _ = resource.getrlimit(resource.RLIMIT_AS)
    if 0 <= least < LEAST_MEMORY:  # a library would end us, with 1
        return fail(
            f"the limit on memory is {least >> 20} MiB, and {LEAST_MEMORY >> 20} are needed",
            "ulimit -v unlimited",
            _usage(),
        )
    try:
        if asked := os.environ.get(completing.VARIABLE):
            return completing.answer(main, asked)
        with main.make_context(PROGRAM, sys.argv[1:]) as context:  # main() would make 1 of a broken pipe
            main.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except NO_ARGUMENTS as error:
        print(error.format_message(), file=tell.sink())
        return int(error.exit_code)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else PROGRAM
        return fail(error.format_message(), f"{command} --help", _usage())
    except click.ClickException as error:
        return fail(error.format_message(), f"{PROGRAM} --help", _usage())
    return 0


def _usage() -> int:
    """The status of what has nothing to do with a kernel: git bisect takes 2 for a bad commit."""
    return 255 if sys.argv[1:2] == ["bisect"] else 2


def _refused(error: OSError) -> int:
    """Say what the system refused, and where: the net for what nobody below has said better."""
    if error.filename == OUTPUT:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what still waits
        if isinstance(error, BrokenPipeError):  # `./bench.py report X | head`: as if it had ended us
            return 128 + signal.SIGPIPE
    where = ", ".join(os.fsdecode(one) for one in (error.filename, error.filename2) if isinstance(one, str | bytes))
    what = f"{where}: {error.strerror or error}" if where else f"the system refused: {error.strerror or error}"
    return fail(what, REFUSED.get(error.errno or 0, "is it there, and may this user use it?"), _usage())
