# SPDX-License-Identifier: GPL-2.0-only
"""Lays out what is installed: `python3 -m bench.packaging.stage FOLDER [PYTHON]`, which a Debian package is made with.

FOLDER/tree is a checkout less what only working on it needs, with the core compiled for PYTHON; FOLDER/share has the
manual page, what results hold and the scripts of shells, where they belong below /usr/share.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from bench import place, processes, signals
from bench.errors import BenchError, BuildFailed
from bench.packaging import manual
from bench.run import completing

FOLDERS = ("bench", "plots", "workloads", "results/published")
FILES = ("bench.py",)
BROUGHT = "brought"  # in the sources of a Debian package: modules that Debian has not
_SECONDS = 900.0  # for the compiler
INSTALLED = re.compile(rf"(?!bench/(packaging|labs)/)({'|'.join(FOLDERS)})/.*|{'|'.join(map(re.escape, FILES))}")
# Of the top, what a copy of the sources has; and what is no source below: made here, or for working on the suite.
_TOP = ("bench", "plots", "workloads", "results", *FILES, "pyproject.toml", "Makefile", "LICENSE", "README.md",
        "CHANGELOG.md", "CONTRIBUTING.md", "requirements.in", "requirements.txt", "requirements-dev.in",
        "requirements-dev.txt")  # fmt: skip
_NO_SOURCE = re.compile(
    r"(.*/)?(__pycache__|\.[^/]*|[^/]*\.(so|o)|_core\.c)(/.*)?|results/(?!published/|README\.md$).*"
)
SHARED = {  # by shell: where its scripts are looked for, below /usr/share
    "bash": f"bash-completion/completions/{place.COMMAND}",
    "zsh": f"zsh/site-functions/_{place.COMMAND}",
    "fish": f"fish/vendor_completions.d/{place.COMMAND}.fish",
}


def sources() -> list[Path]:
    """Return the files that a copy of the sources has, relative to the top: neither results nor tests.

    In a checkout they are files that git tracks; in an archive, which git knows nothing of, all that can be some.
    """
    tracked = place.git("ls-files", "-z") if (place.ROOT / ".git").exists() else ""
    if tracked:
        found = [Path(name) for name in tracked.split("\0") if name]
    else:
        below = (place.ROOT / name for name in _TOP)
        found = [path.relative_to(place.ROOT) for top in below for path in ([top] if top.is_file() else top.rglob("*"))]
    return sorted(
        path
        for path in set(found)
        if path.parts[0] in _TOP and not _NO_SOURCE.fullmatch(str(path)) and (place.ROOT / path).is_file()
    )


def copy(files: Iterable[Path], target: Path) -> None:
    """Copy files of this copy, named relative to its top, to the same places in a folder."""
    for relative in files:
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(place.ROOT / relative, target / relative)


def tree(target: Path, python: str = sys.executable) -> None:
    """Make the folder `target`: what is installed, its core compiled. Raises BuildFailed."""
    copy((one for one in sources() if INSTALLED.fullmatch(str(one))), target)
    if (place.ROOT / BROUGHT).is_dir():
        shutil.copytree(place.ROOT / BROUGHT, target, dirs_exist_ok=True)
    (target / place.STAMP).write_text(place.stamp(), encoding="utf-8")
    done = processes.run([python, "-B", "-m", "bench.core.build"], _SECONDS, cwd=target, stderr=processes.STDOUT)
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-8:])
        raise BuildFailed(f"the C core can't be compiled:\n{tail}", "are a compiler and Python's headers there?")
    for pattern in ("_core.c", "**/*.o"):
        for made in (target / "bench/core").glob(pattern):
            made.unlink()


def share(target: Path) -> None:
    """Make the folder `target`, as it is installed below /usr/share: manual page, what results hold, completion."""
    texts = {f"man/man1/{place.COMMAND}.1": manual.page()}
    texts[f"doc/{place.COMMAND}/results.md"] = (place.ROOT / "results/README.md").read_text(encoding="utf-8")
    texts |= {path: completing.script(shell, place.COMMAND) for shell, path in SHARED.items()}
    for path, text in texts.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(text, encoding="utf-8")


def main(words: list[str]) -> int:
    """Lay both out in a folder that is not there yet."""
    signals.catch()
    if len(words) not in (1, 2) or words[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        tree(Path(words[0]) / "tree", *words[1:])
        share(Path(words[0]) / "share")
    except BenchError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
