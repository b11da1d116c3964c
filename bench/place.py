# SPDX-License-Identifier: GPL-2.0-only
"""Where this copy of the suite is, and what follows: its version, where results go, and how its command is typed.

There are two kinds of copies. A checkout has pyproject.toml: its results lie in it. One that was installed, from a
wheel or a Debian package, is the same folders without it, and may not be writable: its results are the user's.
"""

from __future__ import annotations

import os
import re
import shlex
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bench import processes
from bench.errors import ProgramFailed

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = not (ROOT / "pyproject.toml").is_file()
COMMAND = "pagemap-bench"  # of what is installed
PROGRAM = COMMAND if INSTALLED else "./bench.py"
STAMP = "bench/version.txt"  # in a copy that git can't be asked about: what it said where that was made
NEXT = "0.1.0"  # the number, as long as no tag vNUMBER is behind the commit
_TYPED = re.compile(r"(?:\./|\$PWD/|~/pagemap-bench/)bench\.py\b")
_DESCRIBED = re.compile(r"(?:v(?P<tag>\d.*)-(?P<since>\d+)-g)?(?P<commit>[0-9a-f]{7,})(?P<changed>-changed)?")
_NUMBER = re.compile(r"(?P<release>\d+(?:\.\d+)*)(?:[-.]?(?P<stage>a|b|rc)(?:lpha|eta)?[-.]?(?P<round>\d+))?")
_ELSEWHERE = {  # what a text for a checkout names, and what there is where it is installed
    "run: make setup": "install it again, for this Python",
    "results/README.md": f"share/doc/{COMMAND}/results.md",
    " (bench/labs/README.md)": "",
}
_SECONDS = 10.0  # for git
_TAGS = 20  # that are no numbers, at most, are passed over


class Version(NamedTuple):
    """The number of a release; the commits since its tag, or where it has none all of them; and the commit."""

    number: str = NEXT
    released: bool = False  # there is a tag
    commits: int = 0
    commit: str = ""  # empty where git can't be asked
    changed: bool = False  # since the commit

    def __str__(self) -> str:
        """As plans have it: 0.1.0-5fc897e01234-changed."""
        return "-".join(filter(None, [self.number, self.commit, "changed" * self.changed]))

    @property
    def python(self) -> str:
        """As Python's packages have it (PEP 440): 0.1.0.dev700+g5fc897e01234, or after a tag 0.1.0.post3+g..."""
        plain = not self.commit or (self.released and not self.commits)
        more = "" if plain else f".{'post' if self.released else 'dev'}{self.commits}"
        local = ".".join(filter(None, ["" if plain else f"g{self.commit}", "changed" * self.changed]))
        return f"{self.number}{more}{f'+{local}' if local else ''}"

    @property
    def debian(self) -> str:
        """As Debian's packages have it (deb-version(7)): before its release a number is less than that."""
        known = self.python.replace(".dev", "~dev").replace(".post", "+post")
        return re.sub(r"^([\d.]+)(a|b|rc)", r"\1~\2", known)


def parse(described: str, commits: int = 0) -> Version:
    """Return the version that `git describe --long --always` says; commits: all there are. Raises ValueError.

    A tag that is no number is as none.
    """
    found = _DESCRIBED.fullmatch(described)
    if not found:
        raise ValueError(described)
    number = _number(found["tag"] or "")
    since = int(found["since"]) if number else commits
    return Version(number or NEXT, bool(number), since, found["commit"], bool(found["changed"]))


def _number(tag: str) -> str:
    """A tag's number as PEP 440 has it, 0.2.0rc1 for 0.2.0-rc1, empty where it is none."""
    found = _NUMBER.fullmatch(tag)
    return "" if not found else found["release"] + (f"{found['stage']}{int(found['round'])}" if found["stage"] else "")


@cache
def version() -> Version:
    """Return this copy's version: git's word in a checkout, else that of the checkout it was made of."""
    described = commits = ""
    if (ROOT / ".git").exists():  # a folder of another repository is no checkout of this one
        described = _described()
        commits = described and git("rev-list", "--count", "HEAD")
    elif (ROOT / STAMP).is_file():
        described, _, commits = (ROOT / STAMP).read_text(encoding="utf-8").strip().partition(" ")
    return parse(described, int(commits or 0)) if _DESCRIBED.fullmatch(described) else Version()


def _described() -> str:
    """Return what `git describe` says by the last tag that is a number."""
    words = ["describe", "--tags", "--match=v[0-9]*", "--long", "--always", "--abbrev=12", "--dirty=-changed"]
    for _ in range(_TAGS):
        said = git(*words)
        found = _DESCRIBED.fullmatch(said)
        if not found or not found["tag"] or _number(found["tag"]):
            break
        words.append(f"--exclude=v{found['tag']}")
    return said


def stamp() -> str:
    """Return the content of STAMP for a copy of this one."""
    now = version()
    since = f"v{now.number}-{now.commits}-g" * now.released
    return f"{since}{now.commit}{'-changed' * now.changed} {now.commits}\n" if now.commit else ""


def git(*words: str) -> str:
    """Return what git says of this copy, empty where it refuses or is not there."""
    try:
        done = processes.run(["git", "-C", str(ROOT), *words], _SECONDS, env=processes.environment())
    except ProgramFailed:
        return ""
    return "" if done.returncode else done.stdout.strip()


def results() -> Path:
    """Return where results go: results/ of a checkout, else in the user's data (XDG base directory specification)."""
    if not INSTALLED:
        return ROOT / "results"
    given = os.environ.get("XDG_DATA_HOME", "")
    base = given if given.startswith("/") else os.path.expanduser("~/.local/share")
    return Path(base) / COMMAND / "results"


def kept(name: str) -> str:
    """Return where the result of a name is, for people: results/NAME in a checkout."""
    if not INSTALLED:
        return f"results/{name}"
    home = os.path.expanduser("~/")
    return re.sub(f"^{re.escape(home)}", "~/", f"{results()}/{name}")


def called(folder: Path) -> str:
    """Return the name by which commands find the result in a folder, as it is typed in a shell."""
    if results() in folder.parents:
        name = str(folder.relative_to(results()))
        taken = "/" in name and os.path.isdir(name)  # it would be that path
        return shlex.quote(str(folder) if taken or name.startswith("-") else name)
    plain = "/" not in str(folder) or str(folder).startswith("-")  # it would be a name below results/, or an option
    return shlex.quote(f"./{folder}" if plain else str(folder))


def typed(text: str, *, installed: bool = INSTALLED) -> str:
    """Return a text with the command as it is typed here, or where it is installed: they are written for a checkout."""
    if not installed:
        return text
    for there, here in _ELSEWHERE.items():
        text = text.replace(there, here)
    return _TYPED.sub(COMMAND, text)
