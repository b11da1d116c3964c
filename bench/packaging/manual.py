# SPDX-License-Identifier: GPL-2.0-only
"""The manual page, made of the declarations that --help prints: `python -m bench.packaging.manual >pagemap-bench.1`."""

from __future__ import annotations

import os
import re
import textwrap
import time

import click

from bench import place
from bench.run import main as program

_FILES = (
    (
        "$XDG_DATA_HOME/pagemap-bench/results",
        "The results, a folder each. XDG_DATA_HOME is ~/.local/share where it is not set. In a checkout results/ has "
        "them. A name with a slash in it is a path.",
    ),
    (
        "$XDG_CACHE_HOME/pagemap-bench",
        "Kernels, Python for guests, and what counts in QEMU: made where it is needed, removed by the command clean. "
        "XDG_CACHE_HOME is ~/.cache where it is not set.",
    ),
)
_NEW = ".PP\n"  # begins a paragraph, but not below a heading
_KEPT = "\b"  # begins a paragraph that click is not to wrap
_HEADING = "Exit status:\n"
_SEE = "PAGEMAP_SCAN(2const), proc_pid_pagemap(5), proc_pid_clear_refs(5), userfaultfd(2), git-bisect(1)"


def page() -> str:
    """Return the page, for man(7)."""
    main = program.main
    context = click.Context(main, info_name=place.COMMAND, **main.context_settings)
    parts = [
        f'.\\" SPDX-License-Identifier: GPL-2.0-only\n.TH PAGEMAP\\-BENCH 1 "{_day()}" "{place.version()}"\n.ad l\n',
        f".SH NAME\n{_plain(place.COMMAND)} \\- {_plain(_sentence(main.help))}\n",
        f".SH SYNOPSIS\n.B {_plain(place.COMMAND)}\n{_plain(' '.join(main.collect_usage_pieces(context)))}\n",
        f".SH DESCRIPTION\n{_prose(main.help).removeprefix(_NEW)}",
        _options(main, context),
        ".SH COMMANDS\n",
        *(_command(name, main.commands[name], context) for name in main.list_commands(context)),
        f".SH EXIT STATUS\n{_prose(program.STATUS.replace(_HEADING, '')).removeprefix(_NEW)}",
        ".SH FILES\n",
        *(f".TP\n.I {_plain(path)}\n{_text(what)}\n" for path, what in _FILES),
        f".SH SEE ALSO\n{_references(_SEE)}",
    ]
    return "".join(parts)


def _command(name: str, command: click.Command, parent: click.Context) -> str:
    """The section of one command: how it is typed, what it does, its options, an example."""
    context = click.Context(command, parent, info_name=name)
    usage = _plain(" ".join(command.collect_usage_pieces(context)))
    example = (command.epilog or "").partition("Example:")[2]
    shown = (
        f".PP\nExample:\n.PP\n.nf\n.RS\n{_plain(place.typed(example.strip(), installed=True))}\n.RE\n.fi\n"
        if example
        else ""
    )
    heading = f".SS {_plain(name)}\n\\fB{_plain(f'{place.COMMAND} {name}')}\\fR {usage}\n"
    return f"{heading}{_prose(command.help)}{_options(command, context)}{shown}"


def _options(command: click.Command, context: click.Context) -> str:
    """Options with their help, each group of them under its name where there are groups."""
    groups = getattr(command, "groups", {})
    rows: dict[str, list[tuple[str, str]]] = {}
    for param in command.get_params(context):
        if record := param.get_help_record(context):
            rows.setdefault(groups.get(param.name, "Output") if groups else "", []).append(record)
    text = []
    for group, records in rows.items():
        text.append(f".PP\n{_plain(group)}:\n" if group else "")
        text += [
            f".TP\n\\fB{_plain(names)}\\fR\n{_text(place.typed(what or ' ', installed=True))}\n"
            for names, what in records
        ]
    return "".join(text)


def _sentence(text: str | None) -> str:
    """A help's first sentence, as whatis(1) has it: without capital and full stop."""
    first = (text or "").strip().partition("\n\n")[0].replace("\n", " ").rstrip(".")
    return first[:1].lower() + first[1:]


def _prose(text: str | None) -> str:
    """Paragraphs; those that click is told not to wrap keep their lines."""
    made = []
    for paragraph in filter(None, (one.strip("\n") for one in place.typed(text or "", installed=True).split("\n\n"))):
        if paragraph.lstrip().startswith(_KEPT):
            made.append(f".PP\n.nf\n{_plain(paragraph.lstrip().removeprefix(_KEPT).strip(chr(10)))}\n.fi\n")
        else:
            made.append(f".PP\n{_text(paragraph)}\n")
    return "".join(made)


def _references(text: str) -> str:
    """Names of other pages, with their sections: bold names."""
    pages = [re.fullmatch(r"(\S+)\((\w+)\)", one) for one in text.split(", ")]
    last = len(pages) - 1
    return "".join(
        f".BR {_plain(found[1])} ({found[2]}){',' * (number < last)}\n" for number, found in enumerate(pages) if found
    )


def _text(text: str) -> str:
    """A paragraph in lines of a length that people who edit such pages ask for."""
    return _plain(textwrap.fill(" ".join(text.split()), 72, break_long_words=False, break_on_hyphens=False))


def _plain(text: str) -> str:
    """Text in which nothing is taken for a request of roff, and hyphens can be copied to a shell."""
    lines = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").split("\n")
    return "\n".join(f"\\&{line}" if line[:1] in (".", "'") else line for line in lines if line.strip())


def _day() -> str:
    """The day that the page is of: what a package is made with says it."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    return time.strftime("%Y-%m-%d", time.gmtime(int(given) if given.isdigit() else None))


if __name__ == "__main__":
    print(page(), end="")
