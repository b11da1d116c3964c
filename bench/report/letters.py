# SPDX-License-Identifier: GPL-2.0-only
"""The text of a cover letter or commit message: a marked block of results, put in or replaced in place."""

import re
from itertools import takewhile
from pathlib import Path

from bench.errors import BadInput, PermissionDenied
from bench.files import replacing

START = "Benchmark results"
END = "(end of results)"

BLURB = re.compile(r"^\*\*\* BLURB HERE \*\*\*[ \t]*\r?(?:\n|\Z)", re.M)
# From the first of these on, the text is no longer the letter: what git's mailinfo.c, patchbreak(), takes for the
# patch (below `---` b4 keeps its change log), the scissors of `git commit --verbose`, a signature.
CUT = re.compile(r"^(?:diff -|Index: |--- \S|---[ \t]*\r?$|\S+ -{24} >8 -{24}\r?$|-- *\r?$)", re.M)
# As git's builtin/log.c, make_cover_letter(), writes it: authors, each with patches, then the diffstat or a base.
AUTHOR = re.compile(r"^\S.* \(\d+\):\r?\n(?:  .*\n)+\r?\n", re.M)
BEHIND = re.compile(r"\s*?(?: \S.* \| +(?:\d|Bin)|base-commit: |-- )")
# Names with a hyphen, and the usual ones without: a last paragraph such as "Note: ..." is prose.
TRAILER = re.compile(
    r"(?:[A-Za-z]+(?:-[A-Za-z]+)+|Fixes|Link|Closes|Cc|To|Bug(?:Link)?): *\S|[ \t]+\S|\[.+\]\s*$|\(cherry "
)

MOST = 16 << 20  # bytes of a letter


def wrap(text: str) -> str:
    """Return the block: START, the text (its lines indented), END, apart by blank lines.

    It is as `git stripspace` leaves it, so that neither a commit nor a branch description changes it. The blank line
    before END keeps `  Machine: ...` out of a message's last paragraph, where b4 (find_trailers) looks for trailers,
    which it moves.
    """
    lines = "\n".join(line.rstrip() for line in f"{START}\n\n{text}\n\n{END}\n".split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines)


def insert(letter: str, block: str) -> str:
    """Return the letter with the block in place of its marked block, or where a person would put it.

    Not a byte of the other text changes; the block gets its line endings. Raises BadInput for unclear markers.
    """
    span = _marked(letter)
    start, end = span or (place(letter), place(letter))
    before, after = letter[:start], letter[end:]
    eol = _line_ending(before + after) or _line_ending(letter) or "\n"
    block = block.strip("\n")
    if not span:
        if before and not re.search(r"^[ \t]*\r?\n\Z", before, re.M):
            block = (eol if before.endswith("\n") else eol * 2) + block
        block += eol
        if after and not re.match(r"[ \t]*\r?\n", after):
            block += eol
    return before + re.sub(r"\r?\n", eol, block) + after


def edit(path: Path, block: str) -> bool:
    """Insert the block into a file, and return whether that changed it; else it is not written.

    What isn't UTF-8 stays as it is, and so do permissions and symbolic links. Raises BadInput for what is no text file
    or has unclear markers, PermissionDenied.
    """
    try:
        if not path.is_file():
            what = "is not a file" if path.exists() else "does not exist"
            raise BadInput(f"{path} {what}", "git format-patch --cover-letter writes a cover letter")
        if path.stat().st_size > MOST:
            raise BadInput(f"{path} holds more than {MOST >> 20} MiB", "give a cover letter or a commit message")
        old = path.read_bytes()
        if b"\0" in old:
            raise BadInput(f"{path} is not a text file", "give a cover letter or a commit message")
        new = insert(old.decode(errors="surrogateescape"), block).encode(errors="surrogateescape")
        if new != old:
            _replace(path.resolve(), new)
    except OSError as error:
        raise PermissionDenied(
            f"{path} can't be edited: {error.strerror}", "leave out --into to print the results, and paste them"
        ) from None
    return new != old


def place(letter: str) -> int:
    """Return the offset at which a person would put results: the start of a line, or the letter's end."""
    if blurb := BLURB.search(letter):
        return blurb.end()
    cut = CUT.search(letter)
    letter = letter[: min(cut.start() if cut else len(letter), _shortlog(letter))]
    letter = letter[: _comments(letter)]
    return _trailers(letter)


def _shortlog(text: str) -> int:
    """Where the first list of authors begins that has a diffstat or a base behind it; the end where there is none."""
    start = end = -1
    for author in AUTHOR.finditer(text):  # one after the other: a pattern of all would begin anew at each
        if author.start() != end:
            start = author.start()
        end = author.end()
        if BEHIND.match(text, end):
            return start
    return len(text)


def _comments(text: str) -> int:
    """Where git's instructions begin: last lines with #, or with the core.commentChar that they name."""
    lines = re.findall(r".*\n|.+\Z", text)
    mark = next((line[0] for line in reversed(lines) if line.strip()), " ")
    last = list(takewhile(lambda line: line[0] == mark or not line.strip(), reversed(lines)))
    while last and not last[-1].strip():
        last.pop()
    if mark != "#" and (mark.isalnum() or not re.search(rf"'{re.escape(mark)}\S*'", "".join(last))):
        return len(text)
    return len(text) - sum(map(len, last))


def _trailers(text: str) -> int:
    """Where a last paragraph of trailers begins; the first paragraph has none: `mm: one` is a subject."""
    body = text.rstrip()
    start = max((gap.end() for gap in re.finditer(r"\n\s*\n", body)), default=len(text))
    lines = body[start:].split("\n")
    return start if not lines[0][:1].isspace() and all(map(TRAILER.match, lines)) else len(text)


def _marked(letter: str) -> tuple[int, int] | None:
    """The block's offsets, without END's line ending. Raises BadInput."""
    starts, ends = ([m.start() for m in re.finditer(rf"^{re.escape(x)}[ \t]*\r?$", letter, re.M)] for x in (START, END))
    if not starts and not ends:
        return None
    if len(starts) > 1 or len(ends) > 1:
        twice = START if len(starts) > 1 else END
        raise BadInput(f"more than one line {twice!r}", "leave one block of results, from the one line to the other")
    if not ends:
        raise BadInput(f"a line {START!r} without a line {END!r}", "add it where the results end, or rename the first")
    if not starts:
        raise BadInput(f"a line {END!r} without a line {START!r}", "add it where the results begin, or remove the last")
    if starts > ends:
        raise BadInput(f"the line {END!r} comes before {START!r}", "put them around the results, or remove both")
    return starts[0], ends[0] + len(END)


def _line_ending(text: str) -> str:
    """What most lines end with; empty where there is but one line."""
    windows = text.count("\r\n")
    return "\r\n" if 2 * windows > text.count("\n") else "\n" if "\n" in text else ""


def _replace(path: Path, data: bytes) -> None:
    """Replace a file by one that is its like. Raises OSError, also for a file that may not be written."""
    with path.open("r+b"):  # a rename would replace even a read-only file
        pass
    with replacing(path, like=path) as file:
        file.write(data)
