# SPDX-License-Identifier: GPL-2.0-only
"""The command line: probe, list, run, report, compare, cover-letter. What each does: bench/run/commands.py."""

from __future__ import annotations

import re
import sys
from typing import Any

import click

from bench.errors import BenchError
from bench.plan.records import PHASES
from bench.run import commands, measuring, options
from bench.run.request import OPTIONS, Request
from bench.run.settle import version

METRICS = ("cost", "interval", "tracker", "tracked", *PHASES)
PROGRAM = "./bench.py"


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
    help="Only cases whose name matches, such as 'random*dirty=10% scan-wp'.",
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
            self.fail(f"{value!r} is not a percentage such as 3%", param, ctx)
        return found


def example(text: str) -> str:
    """Show the example on lines of its own, unwrapped."""
    return f"\b\nExample:\n  {text}"


FAIL_ON = (
    "Exit with 1 if a case is significantly worse by more than this, or if pages are wrong, a probe is answered wrong, "
    "cases are missing or the kernel's log complains (WARNING, BUG, lockdep ...) and the base's did not; with 3 if too "
    "few runs, or changes beyond it that may be chance, leave that open."
)
STATUS = """\b
Exit status:
  0  all went well; with --fail-on: nothing is worse, and there were enough runs
     to tell
  1  an interface answered wrong (probe, run, matrix; known misses count too), a
     scenario of --format ktap is not ok, config --kernel lacks something, or
     --fail-on found something worse
  2  bad usage or input
  3  nothing could be measured, a measurement failed, or --fail-on can't tell
  bisect has those of git bisect run: 0, 1, 125, 255

"""


class Ordered(click.Group):
    """A group whose --help has the commands in the order in which a person needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands as they are declared."""
        return list(self.commands)


@click.group(
    cls=Ordered,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=STATUS + example(f"{PROGRAM} run"),
)
@click.version_option(version(), prog_name="pagemap-bench")
def main() -> None:
    """Measure the PAGEMAP_SCAN ioctl against clear_refs and /proc/PID/pagemap, checked page by page."""


@main.command(epilog=example(f"{PROGRAM} probe --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def probe(as_json: bool) -> None:
    """Say which interfaces work here, and what disturbs."""
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
    measuring.run(Request.typed(values))


class Named(click.ParamType[tuple[str, str]]):
    """A kernel with the name of its result: NAME=IMAGE."""

    name = "NAME=IMAGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return name and image."""
        name, _, image = str(value).partition("=")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,60}", name) or not image:
            self.fail(f"{value!r} is not NAME=IMAGE, such as base=debian:6.12", param, ctx)
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
    type=Limit(),
    help="Exit with 1 if a case is worse by more than this, or a result is wrong; see compare.",
)
@options.add(OF_ALL)
def matrix(kernels: tuple[tuple[str, str], ...], fail_on: float | None, **values: Any) -> None:
    """Measure base and patched kernels in turn, and compare them.

    The kernels boot one after the other in an order that the seed shuffles, the base first and last: how far its own
    boots drift apart limits what is claimed. Each has its own result, results/NAME/KERNEL; results/NAME has the
    comparison, its plots, and cover-letter.txt. What was interrupted goes on with --resume NAME.

    With --where here a real machine is measured, one boot at a time: run it, boot the next kernel, and go on with
    --resume NAME, until the matrix is full.
    """
    from bench.run.matrix import Wanted, run  # noqa: PLC0415  (rich)

    run(Wanted(kernels, Request.typed(values | {"kernel": None, "form": "text"}), fail_on))


@main.command(epilog=example(f"{PROGRAM} report patched --all"))
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--all", "everything", is_flag=True, help="All tables and the whole machine, not one page (text only).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "html", "csv", "ktap"]),
    default="text",
    show_default=True,
    help="html: one self-contained file; csv: a line per value (results/README.md); ktap: verdicts, for kernel CI.",
)
@click.option(
    "--name", "into", type=options.TEXT, help="Write table and plot of several results to this folder below results/."
)
def report(names: tuple[str, ...], everything: bool, form: str, into: str | None) -> None:
    """Print one page about a result and draw its plots. NAME is a folder below results/, or a path.

    Results of the suite meaning may be several: the table then has a column for each kernel.
    """
    commands.report(*names, everything=everything, form=form, into=into)


@main.command(epilog=example(f"{PROGRAM} compare base patched --fail-on 3%"))
@click.argument("names", metavar="BASE NEW...", nargs=-1, required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "csv", "json"]),
    default="text",
    show_default=True,
    help="results/README.md says what csv and json hold.",
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
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.05,
    show_default=True,
    metavar="P",
    help="Level of significance, over all cases together.",
)
@click.option("--fail-on", type=Limit(), help=FAIL_ON)
@click.option("--name", type=options.TEXT, help="Write the comparison and its plot to this folder below results/, too.")
def compare(**values: Any) -> None:
    """Compare results with the first one, case by case.

    BASE and NEW are folders below results/, or paths. Of results of the suite meaning it is their report, a column for
    each kernel, and --fail-on means verdicts that are wrong in NEW only.
    """
    commands.compare(commands.Comparing(**values))


@main.command(epilog=example(f"{PROGRAM} functions base patched --phase collect"))
@click.argument("names", metavar="RESULT...", nargs=-1, required=True)
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


@main.command(
    "cover-letter",
    epilog=example('GIT_EDITOR="$PWD/bench.py cover-letter base patched --into" b4 prep --edit-cover'),
)
@click.argument("names", metavar="RESULT...", nargs=-1, required=True)
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
@click.argument("good", metavar="GOOD")
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
    "names",
    type=options.TEXT,
    multiple=True,
    metavar="NAME",
    help="Only what this interface needs; may be repeated.  [default: all]",
)
@click.option(
    "--kernel",
    type=options.TEXT,
    metavar="IMAGE",
    help="Say what this kernel lacks instead: as of run, or a tree with a .config that was not built yet. "
    "Exit with 1 if it lacks something.",
)
def config(names: tuple[str, ...], kernel: str | None) -> None:
    """Say what configuration a kernel needs, or lacks.

    It is a fragment for scripts/kconfig/merge_config.sh of the kernel, and for vng --build --config.
    """
    from bench.run import configs  # noqa: PLC0415  (--help needs none of it)

    configs.config(names, kernel)


@main.command(epilog=example(f"{PROGRAM} merge patched-laptop patched-server --name patched"))
@click.argument("names", metavar="RESULT...", nargs=-1, required=True)
@click.option("--name", type=options.TEXT, required=True, help="Folder of the new result below results/, or a path.")
def merge(names: tuple[str, ...], name: str) -> None:
    """Join results of several machines or boots.

    They are of one kernel. Which machine a boot is of is kept: report and compare say how much is between machines.
    """
    from bench.run import merging  # noqa: PLC0415  (rich)

    merging.merge(names, name)


def fail(message: str, hint: str, status: int) -> int:
    """Print an error the one way there is, and return the exit status."""
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
    return status


def entry() -> int:
    """Run a command; print what went wrong as one error and one hint, never as a traceback."""
    try:
        main(prog_name=PROGRAM, standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return error.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else PROGRAM
        bisecting = sys.argv[1:2] == ["bisect"]  # git takes 2 for a bad commit
        return fail(error.format_message(), f"{command} --help", 255 if bisecting else 2)
    except click.ClickException as error:
        return fail(error.format_message(), f"{PROGRAM} --help", 2)
    except BenchError as error:
        return fail(str(error), error.hint, error.status)
    except (KeyboardInterrupt, click.Abort):
        hint = "what was measured is in the result's folder" if {"run", "matrix"} & {*sys.argv[1:2]} else ""
        return fail("interrupted", hint, 130)
    except BrokenPipeError:  # `./bench.py report X | head`
        sys.stderr.close()
        return 0
    return 0
