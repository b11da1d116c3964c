# SPDX-License-Identifier: GPL-2.0-only
"""Completion of what is typed in bash, zsh and fish: their scripts are click's, the names are those that `list` has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import click
from click import shell_completion

from bench import place
from bench.errors import BadInput

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_PAGEMAP_BENCH_COMPLETE"  # set by those scripts, when they ask
# Scripts of click's call the command by its bare name, which a checkout's has not: by what was typed they find both.
_BY_NAME = {"=zsh_complete %s)": "=zsh_complete ${words[1]})", "(commandline -t) %s)": "(commandline -t) $typed)"}
_DROPPED = "    (( ! $+commands[%s] )) && return 1\n"
_TYPED = "    set -l typed (commandline -opc)[1];\n"


def script(shell: str, program: str = "") -> str:
    """Return what a shell has to run once, to complete the command; program: its name, by default as it is here."""
    name = program or place.PROGRAM.rpartition("/")[2]
    made = shell_completion.get_completion_class(shell)
    assert made is not None
    one = made(click.Command(name), {}, name, VARIABLE)
    text = one.source_template % one.source_vars()
    text = text.replace(_DROPPED % name, "")
    for old, new in _BY_NAME.items():
        text = text.replace(old % name, new)
    return text.replace("    set -l response", f"{_TYPED}    set -l response") if "$typed" in text else text


def answer(command: click.Command, asked: str) -> int:
    """Print how what is typed may go on, as the script of a shell asked for it; return the exit status.

    Raises BadInput where none of them asked.
    """
    try:
        if not shell_completion.shell_complete(command, {}, place.PROGRAM, VARIABLE, asked):
            return 0
    except (KeyError, ValueError):  # of the words typed, and the number of one
        pass
    hint = f"it is set by the script of ./bench.py completion alone: unset {VARIABLE}"
    raise BadInput(f"{VARIABLE} is {asked!r}, and no shell asks so", hint)


def _results() -> Iterable[str]:
    from bench.run import folders  # noqa: PLC0415  (as the next: only who asks needs them)

    return filter(str.isprintable, folders.named(place.results()))  # options.TEXT takes no others


def _suites() -> Mapping[str, object]:
    from bench.plan import suites  # noqa: PLC0415

    return suites.SUITES | suites.PLAYED


def _workloads() -> Mapping[str, object]:
    from bench.plan import catalogue  # noqa: PLC0415

    return catalogue.workloads()


def _interfaces() -> Mapping[str, object]:
    from bench.plan.interfaces import INTERFACES  # noqa: PLC0415

    return INTERFACES


def _words(setting: str) -> Iterable[str]:
    from bench.plan import grids  # noqa: PLC0415

    return grids.WORDS.get(setting, ())


# By the name of what is typed, or of the option. A new result has a new name, but a result's is where that begins.
_NAMES: dict[str, Callable[[], Iterable[str]]] = {
    **dict.fromkeys(("names", "good", "baseline", "resume", "name", "into"), _results),
    "suite": _suites,
    "workload": _workloads,
    "interface": _interfaces,
}


def names(context: click.Context, param: click.Parameter, begun: str) -> list[shell_completion.CompletionItem]:
    """Return the names that begin as it was begun; of a list, its last. Of what has no names its type knows more."""
    key = param.name or ""
    known = list(_NAMES[key]() if key in _NAMES else _words(key))
    if not known:
        return param.type.shell_complete(context, param, begun)
    before, comma, last = begun.rpartition(",")
    found = sorted(name for name in known if name.startswith(last))
    return [shell_completion.CompletionItem(f"{before}{comma}{name}") for name in found]
