# SPDX-License-Identifier: GPL-2.0-only
"""`make coverage`: what of bench/ and plots/ the tests execute, and of the C core. Guests are left out: another kernel.

Python by coverage.py, in every process that the tests start or fork; C by gcov, in a copy of the checkout whose core is
compiled for it, with the driver and the tests that need no guest. `core` as the only argument: C alone. Status 1 where
a file is below LEAST that is not among the GAPS.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import NamedTuple

from bench.core import build
from tests.copies import copy
from tests.sanitize import SECONDS, driver
from tests.support import ROOT

LEAST = 95.0  # percent of the lines
LIVE = ("tests/measure", "tests/core", "tests/faults/test_core.py")
# Files that may be below it, and why.
GAPS = {
    "bench/vm/init.py": "the first process of a guest",
    "bench/core/process.c": "the tracked process is always killed, and gcov writes at an end",
    "bench/core/thread.c": "likewise, what pins it",
    "bench/core/interfaces/clear_refs.c": "kernels with soft-dirty bits, and reads that fail",
    "bench/core/interfaces/uffd_sync.c": "kernels before 6.4, and a handler whose writer is killed",
    "bench/core/interfaces/mprotect.c": "a handler whose writer is killed",
    "bench/core/mapping.c": "kernels before 5.14, file systems without unnamed files, calls that fail",
    "bench/core/pagemap.c": "kernels that report nonsense, and calls that fail",
    "bench/core/pinned.c": "calls that fail",
    "bench/core/uffd.c": "a call that fails",
    "bench/core/interfaces/v6.c": "only kernels of that series have the ioctl",
    "bench/core/interfaces/v6_no_reused.c": "only kernels of that series have the ioctl",
}
RC = """\
[run]
source = {root}/bench, {root}/plots
data_file = {folder}/data
parallel = true
patch = subprocess, _exit, fork, execv
disable_warnings = no-data-collected, module-not-measured, module-not-imported

[report]
exclude_also =
    if TYPE_CHECKING:
    \\.\\.\\.$
    raise NotImplementedError
"""
# A worker leaves by os._exit(), which writes nothing of what gcov counts.
SITE = """\
import ctypes, os, sys
leave = os._exit
def dump_and_leave(status):
    core = sys.modules.get("bench.core._core")
    if core:
        ctypes.CDLL(core.__file__).__gcov_dump()
    leave(status)
os._exit = dump_and_leave
"""


class Counted(NamedTuple):
    """Lines of a file, and those that nothing executed."""

    lines: int
    missing: list[int]

    @property
    def share(self) -> float:
        """Percent that was executed."""
        return 100 * (1 - len(self.missing) / self.lines) if self.lines else 100.0

    def where(self) -> str:
        """The missing ones as ranges, as many as a line holds."""
        spans: list[list[int]] = []
        for line in self.missing:
            if spans and line == spans[-1][-1] + 1:
                spans[-1][1:] = [line]
            else:
                spans.append([line])
        return textwrap.shorten(" ".join("-".join(map(str, one)) for one in spans), 150, placeholder=" ...")


def python(tests: list[str]) -> dict[str, Counted]:
    """Run the tests, and return what of each file they executed."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "rc").write_text(RC.format(root=ROOT, folder=folder))
        coverage = [sys.executable, "-m", "coverage"]
        env = {**os.environ, "COVERAGE_RCFILE": str(folder / "rc")}
        subprocess.run([*coverage, "run", "-m", "pytest", "-q", *tests], cwd=ROOT, env=env, check=False)
        subprocess.run([*coverage, "combine", "--quiet"], cwd=ROOT, env=env, check=True)
        subprocess.run([*coverage, "json", "-q", "-o", folder / "json"], cwd=ROOT, env=env, check=True)
        files = json.loads((folder / "json").read_text())["files"]
    return {
        str(Path(ROOT, name).relative_to(ROOT)): Counted(one["summary"]["num_statements"], one["missing_lines"])
        for name, one in files.items()
    }


def core() -> dict[str, Counted]:
    """The same of the core's files, by the tests that need no guest."""
    with copy(["--coverage", "-Wl,-u,__gcov_dump"]) as folder:
        (folder / "site").mkdir()
        (folder / "site/sitecustomize.py").write_text(SITE)
        env = {**os.environ, "PYTHONPATH": str(folder / "site")}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *LIVE]
        subprocess.run(command, cwd=folder, env=env, check=False)
        (folder / "driver").mkdir()
        names = [path.stem for path in build.HERE.glob("interfaces/*.c")]
        subprocess.run([driver(folder / "driver", names, "--coverage"), "outside"], check=True, capture_output=True,
                       timeout=SECONDS)  # fmt: skip
        return {
            str(name): Counted(len(some), sorted(line for line, done in some.items() if not done))
            for name, some in lines(folder).items()
        }


def lines(folder: Path) -> dict[Path, dict[int, bool]]:
    """Whether each line of the core's files was executed, by what gcov has counted in a folder."""
    found: dict[Path, dict[int, bool]] = {source.relative_to(ROOT): {} for source in build.sources()}
    for counted in folder.rglob("*.gcda"):
        done = subprocess.run(["gcov", "-t", "-j", counted], cwd=folder, capture_output=True, text=True, check=True)
        for file in json.loads(done.stdout)["files"]:
            name = next((one for one in found if Path(file["file"]).parts[-len(one.parts) :] == one.parts), None)
            for line in file["lines"] if name else []:
                number = line["line_number"]
                found[name][number] = found[name].get(number, False) or line["count"] > 0
    return found


def main() -> int:
    """Measure, print the sums, and name what is below."""
    tests = sys.argv[1:] or ["-n", "logical", "--maxprocesses", "4"]
    found = core() | ({} if tests == ["core"] else python(tests))
    for title, pattern in (("bench/ and plots/, Python", r".*\.py"), ("bench/core, C", r".*\.c")):
        counts = [count for name, count in found.items() if re.fullmatch(pattern, name)]
        missing, all_of_them = sum(len(one.missing) for one in counts), sum(one.lines for one in counts)
        print(f"{title}: {1 - missing / max(1, all_of_them):.1%} of {all_of_them} lines")
    below = {name: one for name, one in found.items() if one.share < LEAST}
    for name, one in sorted(below.items(), key=lambda pair: pair[1].share):
        print(f"  {one.share:5.1f} %  {name}: {GAPS.get(name, 'not known why')}; lines {one.where()}")
    return int(bool(below.keys() - GAPS.keys()))


if __name__ == "__main__":
    sys.exit(main())
