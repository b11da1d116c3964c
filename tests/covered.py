# SPDX-License-Identifier: GPL-2.0-only
"""`make coverage`: what of bench/ and plots/ the tests execute, and of the C core.

Python by coverage.py, in every process that the tests start or fork here; a guest's Python is left out. C by gcov, in a
copy of the checkout whose core is compiled for it: with the driver and the tests that need no guest, and again those
of GUESTS on kernels that have more interfaces. `core` as the only argument: C alone. Status 1 where a file is below
LEAST that is not among the GAPS, or is among them and need not be.
"""

import base64
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
from bench.errors import BenchError
from tests.copies import copy
from tests.sanitize import SECONDS, driver
from tests.support import ROOT

LEAST = 95.0  # percent of the lines
LIVE = ("tests/measure", "tests/core", "tests/faults/test_core.py")
# What else is executed where, by pytest's -k.
GUESTS = {
    "debian:6.1": "uffd-sync and (test_interfaces or test_kinds)",
    "debian:6.12": "clear_refs and test_scenarios or scan-softdirty and test_interfaces",
    "debian:7.3": "damon or rwp and not test_kinds",
}
# What coverage.py's own files, modules and time exceed.
LIMITED = (
    "tests/faults/test_disk.py::test_a_limit_on_the_size_of_files",
    "tests/faults/test_machine.py::test_limits",
    "tests/measure/test_worker.py::test_a_server_has_no_libraries_that_its_workers_do_not_need",
    "tests/run/test_command_line.py::test_ten_thousand_benchmarks_take_ten_seconds_and_less_than_a_gibibyte",
)
# Files that may be below it, and why.
GAPS = {
    "bench/packaging/entry.py": "what an installed copy starts with: tests/packaging/test_wheel.py",
    "bench/vm/init.py": "the first process of a guest",
    "bench/measure/serve.py": "settings that a guest's server makes: whole runs in tests/test_guests.py",
    "bench/measure/timing.py": "folios, which guests allow: whole runs in tests/test_guests.py; what fails in a worker",
    "bench/measure/system.py": "what a kernel or a machine has not got: the suite meaning meets it in guests",
    "bench/core/interfaces/page_idle.c": "no kernel that Debian builds has IDLE_PAGE_TRACKING",
    "bench/core/interfaces/v6.c": "only kernels of that series have the ioctl",
    "bench/core/interfaces/v6_no_reused.c": "only kernels of that series have the ioctl",
    "bench/core/interfaces/mprotect.c": "a fault that is not its own, of which the process dies, and calls that fail",
    "bench/core/interfaces/uffd_sync.c": "a mapping that changes while a page of it is answered, and calls that fail",
    "bench/core/bystanders.c": "calls that fail, in processes that can then write no counts either",
    "bench/core/process.c": "calls that fail, and a parent that dies meanwhile",
    "bench/core/errands.c": "fresh pages that are not zero, and calls that fail",
    "bench/core/mapping.c": "file systems without unnamed files, and calls that fail",
    "bench/core/races.c": "calls that fail, and memory that there is none of",
    "bench/core/stage.c": "calls that fail, and a scenario that hangs some kernels, which only the suite meaning plays",
    "bench/core/host.c": "calls that fail, and a parent that dies meanwhile",
    "bench/core/acts.c": "calls that fail, and a child that waits until it is killed",
    "bench/core/life.c": "calls that fail, and lives of another process, in workers whose counts are lost",
    "bench/core/uffd.c": "a call that fails",
    "bench/core/interfaces/damon.c": "calls that fail",
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
# A worker leaves by os._exit(), which writes nothing of what gcov counts. What C does so, tests/gcov.c sees to.
SITE = """\
import ctypes, os, sys
leave = os._exit
def count():
    core = sys.modules.get("bench.core._core")
    if core:
        ctypes.CDLL(core.__file__).__gcov_dump()
ends = [count]
def end_and_leave(status):
    for end in ends:
        end()
    leave(status)
os._exit = end_and_leave
"""
# In a guest, before its tests: note Python's lines too, in this process and what it forks, and send all home.
# coverage.py needs SQLite, which guests have not.
SEND = """\
import atexit, base64, os, pathlib, sitecustomize, sys
kept, tests, ran = pathlib.Path("/tmp/counted"), os.getpid(), set()
os.environ["GCOV_PREFIX"] = str(kept)
kept.mkdir()
def trace(frame, event, _):
    if frame.f_code.co_filename.startswith("/project/bench/"):
        ran.add(f"{frame.f_code.co_filename[9:]}:{frame.f_lineno}")
        return trace
def note():
    sys.settrace(None)
    kept.joinpath(f"{os.getpid()}.ran").write_text("\\n".join(ran))
def send():
    if os.getpid() == tests:
        for end in sitecustomize.ends:
            end()
        for file in kept.rglob("*.gcda"):
            print("counted", file.relative_to(kept), base64.b64encode(file.read_bytes()).decode())
        print("ran", *{line for file in kept.glob("*.ran") for line in file.read_text().split()})
sitecustomize.ends.append(note)
atexit.register(send)
sys.settrace(trace)
"""
COUNTING = ("--coverage", "-Wl,-u,__gcov_dump", "-Wl,--wrap=_exit", "-Wl,--wrap=kill")


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
        command = [*coverage, "run", "-m", "pytest", "-q", *(f"--deselect={test}" for test in LIMITED), *tests]
        subprocess.run(command, cwd=ROOT, env=env, check=False)
        subprocess.run([*coverage, "combine", "--quiet"], cwd=ROOT, env=env, check=True)
        subprocess.run([*coverage, "json", "-q", "-o", folder / "json"], cwd=ROOT, env=env, check=True)
        files = json.loads((folder / "json").read_text())["files"]
    return {
        str(Path(ROOT, name).relative_to(ROOT)): Counted(one["summary"]["num_statements"], one["missing_lines"])
        for name, one in files.items()
    }


def core() -> tuple[dict[str, Counted], set[str]]:
    """The same of the core's files, by the driver, the tests that need no guest and guests; and those' Python lines."""
    with tempfile.TemporaryDirectory() as made:
        ends = Path(made, "gcov.o")
        subprocess.run(["gcc", "-fPIC", "-c", ROOT / "tests/gcov.c", "-o", ends], check=True)
        with copy([*COUNTING, str(ends)]) as folder:
            (folder / "sitecustomize.py").write_text(SITE)
            env = {**os.environ, "PYTHONPATH": str(folder)}
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *LIVE]
            subprocess.run(command, cwd=folder, env=env, check=False)
            (folder / "driver").mkdir()
            names = [path.stem for path in build.HERE.glob("interfaces/*.c")]
            program = driver(folder / "driver", names, *COUNTING, str(ends))
            subprocess.run([program, "outside"], check=True, capture_output=True, timeout=SECONDS)
            for kernel, choice in GUESTS.items():
                command = [sys.executable, "-c", f"from tests import covered; covered.guest({kernel!r}, {choice!r})"]
                subprocess.run(command, cwd=folder, check=False)
            found = {
                str(name): Counted(len(some), sorted(line for line, done in some.items() if not done))
                for name, some in lines(folder).items()
            }
            return found, {line for path in folder.glob("*.ran") for line in path.read_text().split()}


def guest(spec: str, choice: str) -> None:
    """Run live tests in a guest, as a copy whose core counts; keep here what it counted, and say where it fails."""
    from tests import test_guests

    try:
        log, ours = Path(f"{spec}.log"), ["sitecustomize.py"]
        for line in test_guests.lines_of(spec, log, choice, before=SEND, trees=ours, otherwise="tcg"):
            if line.startswith("counted "):
                _, name, data = line.split()
                kept = ROOT / f"guest-{spec}" / Path(name).relative_to(str(ROOT)[1:])
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(base64.b64decode(data))
                kept.with_suffix(".gcno").symlink_to(Path("/", name).with_suffix(".gcno"))
            elif line.startswith("ran "):
                Path(f"{spec}.ran").write_text(line)
            elif '"failed"' in line:
                print(f"{spec}: {line}", flush=True)
    except BenchError as error:
        print(f"{spec}: {error}", flush=True)


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
    """Measure, print the sums, and name what is below, and what need not be said any more."""
    tests = sys.argv[1:] or ["-n", "logical", "--maxprocesses", "4"]
    found, ran = core()
    if tests != ["core"]:
        for name, one in python(tests).items():
            found[name] = Counted(one.lines, [line for line in one.missing if f"{name}:{line}" not in ran])
    for title, pattern in (("bench/ and plots/, Python", r".*\.py"), ("bench/core, C", r".*\.c")):
        counts = [count for name, count in found.items() if re.fullmatch(pattern, name)]
        missing, all_of_them = sum(len(one.missing) for one in counts), sum(one.lines for one in counts)
        print(f"{title}: {1 - missing / max(1, all_of_them):.1%} of {all_of_them} lines")
    below = {name: one for name, one in found.items() if one.share < LEAST}
    for name, one in sorted(below.items(), key=lambda pair: pair[1].share):
        print(f"  {one.share:5.1f} %  {name}: {GAPS.get(name, 'not known why')}; lines {one.where()}")
    needless = [name for name in GAPS if name in found and name not in below]
    for name in needless:
        print(f"  {found[name].share:5.1f} %  {name}: is no gap, so GAPS need not have it")
    return int(bool(below.keys() - GAPS.keys() or needless))


if __name__ == "__main__":
    sys.exit(main())
