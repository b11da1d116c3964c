# SPDX-License-Identifier: GPL-2.0-only
"""The command line: probe, list, run, report, compare, cover-letter. What each does: bench/run/commands.py."""

from __future__ import annotations

import sys
from typing import Any

import click

from bench.errors import BenchError
from bench.run import commands, options
from bench.run.request import OPTIONS, Request
from bench.run.settle import version

METRICS = ("cost", "interval", "tracker", "tracked", "reset", "dirty", "collect", "collect_reset")
PROGRAM = "./bench.py"


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


STATUS = """\b
Exit status:
  0  all went well
  1  a comparison exceeded --fail-on, or a scenario of --format ktap is not ok
  2  bad usage or input
  3  nothing could be measured, or a measurement failed

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
    commands.run(Request.typed(values))


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
@click.option(
    "--metric",
    type=click.Choice(METRICS),
    default="cost",
    show_default=True,
    help="What to compare. cost: the whole interval less the untracked writes; interval: the whole interval; tracker, "
    "tracked: what each of the two programs pays; or one phase.",
)
@click.option(
    "--filter",
    "pattern",
    type=options.TEXT,
    metavar="GLOB",
    default="*",
    help="Only cases whose name matches, such as 'random*dirty=10% scan-wp'.",
)
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
@click.option("--fail-on", type=Limit(), help="Exit with 1 if a case is significantly worse by more than this.")
@click.option("--name", type=options.TEXT, help="Write the comparison and its plot to this folder below results/, too.")
def compare(**values: Any) -> None:
    """Compare results with the first one, case by case.

    BASE and NEW are folders below results/, or paths.
    """
    commands.compare(commands.Comparing(**values))


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
def cover_letter(names: tuple[str, ...], into: str | None) -> None:
    """Print a cover letter's block of results.

    Of one result it is the main table, of several base against patched. With --into, what is between the lines
    'Benchmark results' and '(end of results)' of FILE is replaced, or added where a reader expects it. Doing it again
    changes nothing.
    """
    commands.cover_letter(names, into)


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
        return fail(error.format_message(), f"{command} --help", 2)
    except click.ClickException as error:
        return fail(error.format_message(), f"{PROGRAM} --help", 2)
    except BenchError as error:
        return fail(str(error), error.hint, error.status)
    except (KeyboardInterrupt, click.Abort):
        hint = "what was measured is in the result's folder" if "run" in sys.argv[1:2] else ""
        return fail("interrupted", hint, 130)
    except BrokenPipeError:  # `./bench.py report X | head`
        sys.stderr.close()
        return 0
    return 0
