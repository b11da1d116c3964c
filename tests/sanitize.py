# SPDX-License-Identifier: GPL-2.0-only
"""`make sanitize`: the C core under ASan and UBSan, TSan, the leak checker and valgrind; the plugin under UBSan.

The live tests and a server of workers run in a copy of the checkout, whose core is compiled for it. What the tools have
to say they write into files, so that nothing is lost where a child of a child says it. Status 1 where one complains.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.core import build
from bench.plan import records
from bench.plan.interfaces import INTERFACES
from bench.plan.plan import Plan, Timing
from bench.plan.records import Machine, Timed
from tests import soak
from tests.copies import copy
from tests.support import ROOT

LIVE = ("tests/measure", "tests/core")
SECONDS = 1800.0
GCC = ("-g", "-O1", "-fno-omit-frame-pointer")


class Tool(NamedTuple):
    """A sanitizer: its flags, the libraries that Python, which is compiled without it, needs before all others.

    without: tests about what it changes, with the reason.
    """

    name: str
    flags: str
    libraries: tuple[str, ...]
    options: Mapping[str, str]
    without: Mapping[str, str]


TOOLS = (
    Tool(
        "ASan and UBSan",
        "-fsanitize=address,undefined",
        ("libasan.so", "libubsan.so"),
        {
            # What CPython still has at its end is no leak of the core: leaks are looked for by the driver, without it.
            # SIGSEGV is the answer of a test, and has to come through.
            "ASAN_OPTIONS": "detect_leaks=0:handle_segv=0",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        },
        {"tests/measure/test_worker.py::test_a_worker_stays_small": "shadow memory is part of the worker"},
    ),
    Tool(
        "TSan",
        "-fsanitize=thread",
        ("libtsan.so",),
        # A worker is forked, and starts its writers after that. Status 66 is the tool's, and read as the worker's.
        {"TSAN_OPTIONS": "die_after_fork=0:exitcode=0:handle_segv=0"},
        {
            "tests/measure/test_worker.py::test_a_worker_stays_small": "shadow memory is part of the worker",
            "tests/core/test_places.py": "TSan moves mappings that are wanted where its heap could be",
            "tests/measure/test_events.py::test_the_faults_of_other_threads_and_processes_count_too": (
                "page faults of shadow memory"
            ),
            "tests/measure/test_interfaces.py::test_a_failing_call_is_named_with_its_errno[uffd-sync]": (
                "the test takes a handler's descriptor away from it, unasked"
            ),
        },
    ),
)


def library(name: str) -> str:
    """Where gcc has it."""
    return subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()


def options(tool: Tool, log: Path) -> dict[str, str]:
    """The environment in which a tool writes to files that begin like this."""
    preloaded = " ".join(map(library, tool.libraries))
    return {**os.environ, "LD_PRELOAD": preloaded} | {k: f"{v}:log_path={log}" for k, v in tool.options.items()}


def said(log: Path) -> str:
    """What was complained of."""
    return "".join(path.read_text(errors="replace") for path in sorted(log.parent.glob(f"{log.name}*")))


def ended(what: str, words: Sequence[object], statuses: tuple[int, ...] = (0,), **more: object) -> str:
    """Run a program; what is wrong with its end, "" if nothing is."""
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=SECONDS, **more)
    if done.returncode in statuses:
        return ""
    return f"{what} ended with status {done.returncode}:\n" + "\n".join((done.stdout + done.stderr).splitlines()[-25:])


def live(tool: Tool) -> str:
    """The live tests and a run under a sanitizer."""
    with copy([*tool.flags.split(), *GCC]) as folder:
        log = folder / "said"
        env = options(tool, log)
        tests = [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", *LIVE]
        found = ended("the tests", [*tests, *(f"--deselect={one}" for one in tool.without)], cwd=folder, env=env)
        return found + served(folder, env) + said(log)


def served(folder: Path, env: Mapping[str, str]) -> str:
    """Have a server do all kinds of jobs; what is wrong. Started without a shell: preloaded, TSan kills that."""
    plan = Plan("sanitize", "", "", tuple(INTERFACES), tuple(soak.points()), values=2)
    lines = [records.encode(plan), "0", *map(records.encode, plan.jobs(0)), ""]
    words = [sys.executable, "-m", "bench.measure.serve"]
    done = subprocess.run(words, input="\n".join(lines) + "\n", capture_output=True, text=True, cwd=folder, env=env,
                          timeout=SECONDS)  # fmt: skip
    found = [records.decode(line) for line in done.stdout.splitlines()]
    if done.returncode or not found or not isinstance(found[0], Machine):
        return f"the server ended with status {done.returncode}: {done.stderr[-2000:]}\n"
    lost = [job.name for job in plan.jobs(0) if found[0].can(job, plan)]
    lost = [name for name in lost if name not in {Timing(one.point, 0).name for one in found if isinstance(one, Timed)}]
    return "".join(f"no result of {name}\n" for name in lost)


def driver(folder: Path, names: Sequence[str], *flags: str) -> Path:
    """Compile the core's sources and tests/driver.c, which does without Python, for these interfaces."""
    rows = " ".join(f"X({name})" for name in names)
    program, sources = folder / "driver", [ROOT / "tests/driver.c", *build.sources()]
    command = ["gcc", "-std=gnu11", *GCC, *flags, f"-DINTERFACES(X)={rows}", *sources, "-o", program, "-lpthread"]
    subprocess.run(command, check=True, cwd=folder)
    return program


def leaks() -> str:
    """The leak checker, which ASan has with it: the core alone."""
    names = [path.stem for path in build.HERE.glob("interfaces/*.c")]
    with tempfile.TemporaryDirectory() as made:
        log = Path(made, "said")
        program = driver(Path(made), names, "-fsanitize=address,undefined")
        env = {**os.environ, "ASAN_OPTIONS": f"detect_leaks=1:log_path={log}", "UBSAN_OPTIONS": f"log_path={log}"}
        return ended("the driver", [program, "outside"], (0, 23), env=env) + said(log)


def valgrind() -> str:
    """Memcheck: what of the core it can follow.

    It knows no userfaultfd(2), and refuses it (scan-wp and uffd-sync end there); a SIGSEGV by protection is to it one
    of no memory, so mprotect's handler is left out; and it has no clone(2) of a process that shares descriptors.
    """
    if not shutil.which("valgrind"):
        return "there is no valgrind on this machine: install it"
    names = [row.name.replace("-", "_") for row in INTERFACES.values() if row.kernel_writes]
    with tempfile.TemporaryDirectory() as made:
        program = driver(Path(made), names)
        check = ("valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=all",
                 "--errors-for-leak-kinds=all")  # fmt: skip
        return ended("valgrind", [*check, program])


def plugin() -> str:
    """What counts instructions, in a guest under UBSan: compiled for it, in a cache of its own that has the kernels."""
    with tempfile.TemporaryDirectory() as made:
        cache, log = Path(made, "pagemap-bench"), Path(made, "said")
        cache.mkdir()
        kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "pagemap-bench")
        for path in kept.iterdir() if kept.is_dir() else []:
            if path.name != "plugin":
                (cache / path.name).symlink_to(path)
        env = {
            **os.environ,
            "XDG_CACHE_HOME": made,
            "CC": "gcc -fsanitize=undefined",
            "UBSAN_OPTIONS": f"log_path={log}",
        }
        words = ("run", "--kernel", "debian:6.12", "--interface", "scan-wp", "--pages", "100,1000", "--values", "2",
                 "--processes", "1", "--boots", "1", "--name", Path(made, "x"))  # fmt: skip
        found = ended("a run", [ROOT / "bench.py", *words], cwd=ROOT, env=env)
        [built] = (cache / "plugin").glob("*.so")
        if b"__ubsan" not in built.read_bytes():
            found += "the plugin was not compiled with UBSan"
        return found + said(log)


def main() -> int:
    """Do all of it, or what is named."""
    parts = {tool.name: lambda tool=tool: live(tool) for tool in TOOLS}
    parts |= {"leaks": leaks, "valgrind": valgrind, "plugin under UBSan": plugin}
    wrong = False
    for name, part in parts.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        start = time.monotonic()
        found = part()
        print(f"{name:20} {time.monotonic() - start:5.0f} s  {'complains:' if found else 'clean'}", flush=True)
        print(found, end="")
        wrong |= bool(found)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
