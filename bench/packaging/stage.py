# SPDX-License-Identifier: GPL-2.0-only
"""Lays out what is installed: `python3 -m bench.packaging.stage FOLDER [PYTHON]`, which a Debian package is made with.

FOLDER/tree is a checkout less what only working on it needs, with the core compiled for PYTHON; FOLDER/share has the
manual page and the scripts of shells, where they belong below /usr/share.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from bench import place, processes, signals
from bench.errors import BenchError, BuildFailed
from bench.packaging import manual
from bench.run import completing

FOLDERS = ("bench", "plots", "workloads", "results/published")
FILES = ("bench.py",)
BROUGHT = "brought"  # in the sources of a Debian package: modules that Debian has not
_SECONDS = 900.0  # for the compiler
# Made here, or of use in a checkout only.
_MADE = shutil.ignore_patterns("__pycache__", ".*", "*.so", "*.o", "_core.c", "packaging", "labs")
SHARED = {  # by shell: where its scripts are looked for, below /usr/share
    "bash": f"bash-completion/completions/{place.COMMAND}",
    "zsh": f"zsh/site-functions/_{place.COMMAND}",
    "fish": f"fish/vendor_completions.d/{place.COMMAND}.fish",
}


def tree(target: Path, python: str = sys.executable) -> None:
    """Make the folder `target`: what is installed, its core compiled. Raises BuildFailed."""
    for name in FOLDERS:
        shutil.copytree(place.ROOT / name, target / name, ignore=_MADE)
    for name in FILES:
        shutil.copy(place.ROOT / name, target / name)
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
    """Make the folder `target`, as it is installed below /usr/share: manual page and completion."""
    texts = {f"man/man1/{place.COMMAND}.1": manual.page()}
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
