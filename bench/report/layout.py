# SPDX-License-Identifier: GPL-2.0-only
"""Text that survives a mailing list: ASCII, at most 72 columns, indented by two; paragraphs, commands, columns."""

import shlex
import textwrap
from collections.abc import Callable, Iterable, Sequence

WIDTH = 72
INDENT = "  "


def paragraph(text: str, *, hang: str = "") -> str:
    """Wrap text to WIDTH; `hang` indents the lines after the first further. Other characters than ASCII become `?`."""
    return textwrap.fill(
        _plain(text), WIDTH, initial_indent=INDENT, subsequent_indent=INDENT + hang, break_on_hyphens=False
    )


def _plain(text: str) -> str:
    """Text in ASCII: other characters become `?`."""
    return text.encode("ascii", "replace").decode()


def command(line: str) -> str:
    """A shell command over as many lines as it needs. An argument is never broken, even if it is too long."""
    lines = [INDENT.rstrip(" ") + INDENT]
    for word in map(_quoted, _words(line)):
        if lines[-1].strip() and len(lines[-1]) + 1 + len(word) > WIDTH - 2:  # room for the backslash
            lines.append(INDENT * 3)
        lines[-1] += word if not lines[-1].strip() else f" {word}"
    return " \\\n".join(lines)


def _words(line: str) -> list[str]:
    """The words of a command; of one whose quotes are not closed, which a file may have, what spaces part."""
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _quoted(word: str) -> str:
    """A word for a shell, in ASCII: other characters as octal numbers in $''."""
    if word.isascii() and word.isprintable():
        return shlex.quote(word)
    plain = (chr(b) if 32 <= b < 127 and chr(b) not in "'\\" else f"\\{b:03o}" for b in word.encode())
    return f"$'{''.join(plain)}'"


def note(text: str) -> str:
    """An explanation below a table."""
    return paragraph(f"({text})", hang=" ")


def grid(heads: Sequence[Sequence[str]], body: Iterable[Sequence[str]], left: int = 1, bar: str = " | ") -> str:
    """Columns as wide as they need: header lines, a rule, rows. The first `left` are left-aligned.

    An empty row is a rule across the table, a row of one cell stands alone over all columns.
    """
    heads, body = ([[_plain(cell) for cell in line] for line in some] for some in (heads, body))
    lines = [line for line in (*heads, *body) if len(line) > 1]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads[0]))]
    if len(INDENT) + sum(widths) + len(bar) * (len(widths) - 1) > WIDTH:
        bar = bar.strip() or " "  # only mappings of many GiB with many wrong pages need it tight
    over = len(INDENT) + sum(widths) + len(bar) * (len(widths) - 1) - WIDTH
    if over > 0:  # only names that a user gave, or numbers of a terabyte
        widths[0] = max(4, widths[0] - over)
    rule = INDENT + bar.join("-" * width for width in widths)

    def text(line: Sequence[str]) -> str:
        if not line:
            return INDENT + "-" * (len(rule) - len(INDENT))
        if len(line) == 1:
            return INDENT + line[0][: WIDTH - len(INDENT)]
        line = [line[0] if len(line[0]) <= widths[0] else line[0][: widths[0] - 2] + "..", *line[1:]]
        cells = [c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
        return (INDENT + bar.join(cells)).rstrip()

    return "\n".join([*map(text, heads), rule if bar.strip() else text([]), *map(text, body)])


def fitting(widths: Sequence[int], left: int, bar: int = 3, last: Callable[[slice], int] = lambda _: 0) -> list[slice]:
    """Cut columns of these widths into as few tables as WIDTH allows, in order.

    left: width of the first column of each table; bar: of what stands before each other column; last: how much more is
    needed behind the columns of a cut.
    """
    cuts, first = [], 0
    for end in range(2, len(widths) + 1):
        some = slice(first, end)
        needed = len(INDENT) + left + sum(bar + width for width in widths[some]) + last(some)
        if needed > WIDTH and end - first > 1:
            cuts.append(slice(first, end - 1))
            first = end - 1
    return [*cuts, slice(first, len(widths))]
