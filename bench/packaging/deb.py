# SPDX-License-Identifier: GPL-2.0-only
"""Builds the Debian package of this copy: `python3 -m bench.packaging.deb [FOLDER]`, run by `make deb`.

dpkg-buildpackage wants debian/ at the top of the sources. There it is put, in a copy of them, with a changelog: its
version is what git says, its author who builds it (DEBFULLNAME and DEBEMAIL, as dch(1) has them, else git's user).
What Debian does not package, and has nothing compiled in it, comes along: from where the Python that runs this has it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from email.utils import formatdate
from importlib import metadata
from pathlib import Path

from bench import place, processes, signals
from bench.errors import BadInput, BenchError, BuildFailed
from bench.packaging import stage

NOT_IN_DEBIAN = ("pyperf",)
SKELETON = Path(__file__).with_name("debian")
_SECONDS = 1800.0  # for the package
_CHANGE = """{name} ({version}) unstable; urgency=medium

  * Built from {commit}.

 -- {who}  {day}
"""


def maintainer() -> str:
    """Return who builds: NAME <ADDRESS>. Raises BadInput where nobody says it."""
    said = []
    for variable, key in (("DEBFULLNAME", "user.name"), ("DEBEMAIL", "user.email")):
        git = processes.run(["git", "-C", str(place.ROOT), "config", key], 10.0) if shutil.which("git") else None
        said.append(os.environ.get(variable, "").strip() or (git.stdout.strip() if git else ""))
    if not all(said):
        raise BadInput("a package has a maintainer, and nobody says who", "set DEBFULLNAME and DEBEMAIL")
    return "{} <{}>".format(*said)


def unpack(target: Path) -> None:
    """Lay out the sources of a Debian package in the folder `target`. Raises BadInput."""
    who = maintainer()
    stage.copy(stage.sources(), target)
    (target / place.STAMP).write_text(place.stamp(), encoding="utf-8")
    for name in NOT_IN_DEBIAN:
        _bring(name, target / stage.BROUGHT)
    shutil.copytree(SKELETON, target / "debian")
    control = target / "debian/control"
    control.write_text(control.read_text(encoding="utf-8").replace(": @MAINTAINER@", f": {who}"), encoding="utf-8")
    now = place.version()
    entry = _CHANGE.format(
        name=place.COMMAND, version=now.debian, commit=now.commit or "an archive", who=who, day=formatdate()
    )
    (target / "debian/changelog").write_text(entry, encoding="utf-8")


def _bring(name: str, target: Path) -> None:
    """Copy the modules of an installed distribution, and what is said of it. Raises BadInput where it isn't there."""
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        raise BadInput(f"{name} is not in Debian, nor in this Python", "run: make deb, which uses .venv") from None
    for file in files:
        if not {"..", "tests", "__pycache__", "RECORD"} & set(file.parts):
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(file.locate()), target / file)


def build(folder: Path) -> list[Path]:
    """Build the package into `folder`, and return its files. Raises BadInput, BuildFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pagemap-bench-") as scratch:
        sources = Path(scratch) / place.COMMAND
        unpack(sources)
        command = ["dpkg-buildpackage", "--build=binary", "--no-sign"]
        done = processes.run(command, _SECONDS, cwd=sources, stderr=processes.STDOUT)
        if done.returncode:
            tail = "\n".join(done.stdout.strip().splitlines()[-12:])
            hint = f"install build-essential, and what Build-Depends in {SKELETON}/control names"
            raise BuildFailed(f"dpkg-buildpackage failed:\n{tail}", hint)
        return [Path(shutil.copy(made, folder)) for made in sorted(Path(scratch).glob(f"{place.COMMAND}*_*"))]


def main(words: list[str]) -> int:
    """Build it into the folder named, by default dist/, and print its files."""
    signals.catch()
    if len(words) > 1 or words[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 2 * (len(words) > 1)
    try:
        for path in build(Path(*words or ["dist"])):
            print(path)
    except BenchError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
