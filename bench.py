#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The command line: probe, list, run, report, compare, cover-letter."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
if (ROOT / ".venv/bin/python").exists() and Path(sys.prefix) != ROOT / ".venv":
    os.execv(ROOT / ".venv/bin/python", [str(ROOT / ".venv/bin/python"), *sys.argv])

try:
    import click

    from bench import commands, suite
    from bench.errors import BenchError
except ModuleNotFoundError as missing:
    sys.exit(f"error: Python has no module {missing.name!r}\nhint: run: make setup")


class Numbers(click.ParamType[list[float]]):
    """Comma-separated numbers, such as 1,10,100."""

    name = "N,..."

    def __init__(self, kind: type[int] | type[float]) -> None:
        self.kind = kind

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> list[float]:
        """Return the numbers, or fail with the text that is none."""
        try:
            return [self.kind(part.replace("_", "").removesuffix("%")) for part in str(value).split(",")]
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers such as 1,10,100", param, ctx)


class Sizes(click.ParamType[list[int]]):
    """Comma-separated sizes in bytes, such as 0,64K,1G."""

    name = "SIZE,..."

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """Return the bytes, or fail with the text that is no size."""
        found = [re.fullmatch(r"(\d+)([KMG]?)(i?B)?", part, re.IGNORECASE) for part in str(value).split(",")]
        if not all(found):
            self.fail(f"{value!r} is not a list of sizes such as 0,64K,1G", param, ctx)
        return [int(one[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[one[2].upper()] for one in found if one]


class Words(click.ParamType[list[str]]):
    """Comma-separated words."""

    name = "WORD,..."

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        """Return the words; what they may be is the suite's to say."""
        return str(value).split(",")


class Percent(click.ParamType[float]):
    """A percentage of at least 0, such as 3%."""

    name = "PERCENT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number before the sign."""
        try:
            number = float(str(value).removesuffix("%"))
        except ValueError:
            number = -1.0
        if not 0 <= number < float("inf"):
            self.fail(f"{value!r} is not a percentage such as 3%", param, ctx)
        return number


SORTS = {"word": Words(), "int": Numbers(int), "percent": Numbers(float), "size": Sizes()}


def settings(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each setting of a point: comma-separated values, every combination of which is measured."""
    for key, one in reversed(suite.SETTINGS.items()):
        if one.sort == "flag":
            add = click.option(one.option, key, is_flag=True, default=None, help=one.help)
        else:
            add = click.option(one.option, key, type=SORTS[one.sort], help=one.help)
        command = add(command)
    return command


def example(text: str) -> str:
    """Show the example on lines of its own, unwrapped."""
    return f"\b\nExample:\n  {text}"


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=example("./bench.py run"))
@click.version_option(commands.version(), prog_name="pagemap-bench")
def main() -> None:
    """Measure PAGEMAP_SCAN against /proc/PID/pagemap and clear_refs, checked page by page."""


@main.command(epilog=example("./bench.py probe --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def probe(as_json: bool) -> None:
    """Say which interfaces work on the running kernel, and what disturbs a measurement here."""
    commands.probe(as_json)


@main.command("list", epilog=example("./bench.py list"))
def list_() -> None:
    """List suites, workloads, interfaces and results."""
    commands.list_everything()


@main.command(epilog=example("./bench.py run --suite quick --where vm --kernel arch/x86/boot/bzImage --name patched"))
@click.option("--suite", default="quick", show_default=True, help="What to measure; see: ./bench.py list")
@click.option("--workload", multiple=True, help="Measure this workload instead of a suite; may be repeated.")
@click.option("--pages", type=Numbers(int), help="Mapping sizes in pages, instead of the suite's.")
@click.option("--dirty", type=Numbers(float), help="Dirty fractions in percent, instead of the suite's.")
@click.option(
    "--interface", multiple=True, help="Only this interface (and none); may be repeated.  [default: the suite's]"
)
@click.option("--filter", "pattern", metavar="GLOB", help="Only points whose name matches, such as 'random*dirty=10%'.")
@click.option("--processes", type=click.IntRange(1, 1000), help="Worker processes per point.  [default: the suite's]")
@click.option("--values", type=click.IntRange(1, 1000), help="Values per process.  [default: the suite's]")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=42, show_default=True, help="Of pages and orders.")
@click.option("--name", help="Folder below results/.  [default: the suite and the time]")
@click.option(
    "--where",
    type=click.Choice(["auto", "here", "vm"]),
    default="auto",
    show_default=True,
    help="The running kernel, a virtual machine, or the first of them that has both interfaces.",
)
@click.option(
    "--boots",
    type=click.IntRange(1, 1000),
    help="Boots of the virtual machine that share the processes.  [default: 11]",
)
@click.option("--kernel", metavar="IMAGE", help="bzImage, or debian:6.12, for the virtual machine; debian: lists them.")
@click.option(
    "--accel",
    type=click.Choice(["auto", "kvm", "tcg", "icount"]),
    default="auto",
    show_default=True,
    help="QEMU's accelerator; icount is TCG with a clock that counts instructions.",
)
@settings
@click.option(
    "--directory", type=click.Path(exists=True, file_okay=False), help="For files of --kind file-*.  [default: a tmpfs]"
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "ktap"]),
    default="text",
    show_default=True,
    help="What to print at the end; ktap, for kernel CI, is for the suite meaning.",
)
def run(**options: object) -> None:
    """Measure, check and report.

    Every point is measured across all interfaces by several worker processes. The result is
    results/NAME/suite.json, which python -m pyperf can read too, report.txt, and plots.
    """
    chosen = {key: options.pop(key) for key in suite.SETTINGS}
    asked = {key: [1] if value is True else value for key, value in chosen.items() if value is not None}
    commands.run(commands.Request(settings=asked, **options))  # type: ignore[arg-type]  # click has converted them


@main.command(epilog=example("./bench.py report patched --all"))
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
@click.option("--name", "into", help="Write the table and plot of several results to this folder below results/.")
def report(names: tuple[str, ...], everything: bool, form: str, into: str | None) -> None:
    """Print one page about a result and draw its plots again. NAME is a folder below results/, or a path.

    Results of the suite meaning may be several: one table then has a column for each kernel.
    """
    commands.report(*names, everything=everything, form=form, into=into)


@main.command(epilog=example("./bench.py compare base patched --fail-on 3%"))
@click.argument("names", metavar="BASE NEW...", nargs=-1, required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "csv", "json"]),
    default="text",
    show_default=True,
    help="csv and json: results/README.md says what they hold.",
)
@click.option(
    "--metric",
    type=click.Choice(["cost", "seconds", "tracker", "tracked", "reset", "dirty", "collect", "collect_reset"]),
    default="cost",
    show_default=True,
    help="What to compare: the interval less the untracked writes, a part of it, or one phase.",
)
@click.option("--filter", "pattern", metavar="GLOB", default="*", help="Only cases such as 'random*dirty=10% scan-wp'.")
@click.option("--sort", type=click.Choice(["case", "change", "p"]), default="case", show_default=True)
@click.option(
    "--sign",
    type=click.Choice(["change", "improvement"]),
    default="change",
    show_default=True,
    help="new/old - 1 (less is faster), or 1 - new/old (more is faster).",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 0.5, min_open=True),
    default=0.05,
    show_default=True,
    help="Level of significance, over all cases together.",
)
@click.option("--fail-on", type=Percent(), help="Exit with 1 if a case is significantly slower by more than this.")
@click.option("--name", help="Also write the comparison and its plot to this folder below results/.")
def compare(**options: object) -> None:
    """Compare results with the first one, case by case.

    BASE and NEW are folders below results/, or paths.
    """
    commands.compare(commands.Comparing(**options))  # type: ignore[arg-type]  # click has converted them


@main.command(
    "cover-letter",
    epilog=example('GIT_EDITOR="$PWD/bench.py cover-letter base patched --into" b4 prep --edit-cover'),
)
@click.argument("names", metavar="RESULT...", nargs=-1, required=True)
@click.option("--into", metavar="FILE", help="Put it into this cover letter or commit message instead of printing it.")
def cover_letter(names: tuple[str, ...], into: str | None) -> None:
    """Print the results for a cover letter: one result, or base against patched.

    With --into, what is between the lines 'Benchmark results' and '(end of results)' of FILE is replaced, or added
    where a reader expects it. Doing it again changes nothing.
    """
    commands.cover_letter(names, into)


def entry() -> int:
    """Run a command; print what went wrong as one error and one hint, never as a traceback."""
    try:
        main(standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "./bench.py"
        return commands.fail(error.format_message(), f"{command} --help", 2)
    except click.ClickException as error:
        return commands.fail(error.format_message(), "", 2)
    except BenchError as error:
        return commands.fail(str(error), error.hint, error.status)
    except (KeyboardInterrupt, click.Abort):
        hint = "what had finished is in the result's folder" if "run" in sys.argv[1:2] else ""
        return commands.fail("interrupted", hint, 130)
    except BrokenPipeError:  # `./bench.py report X | head`
        sys.stderr.close()
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(entry())
