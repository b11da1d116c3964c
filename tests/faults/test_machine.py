# SPDX-License-Identifier: GPL-2.0-only
"""Odd machines and surroundings: it works there, or a sentence says what is in the way."""

import ast
import ctypes
import os
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from bench import processes
from bench.errors import ProgramFailed
from tests import synthetic
from tests.faults.support import survived
from tests.faults.test_signals import HERE
from tests.support import ROOT

CODE = ("bench", "plots", "workloads", "bench.py", "pyproject.toml")
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set=-all"]
RUN, LIST, REPORT = ["run", *HERE, "--processes", "1", "--name", "{new}"], ["list"], ["report", "{old}"]

# Environments in which all goes well: what is run, and what is set, or for None not set
SURROUNDINGS = {
    "PYTHONOPTIMIZE=2": (RUN, {"PYTHONOPTIMIZE": "2"}),
    "PYTHONUTF8=0, LC_ALL=C": (RUN, {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}),
    "PYTHONIOENCODING=ascii": (REPORT, {"PYTHONIOENCODING": "ascii:strict"}),
    "no HOME": (RUN, {"HOME": None}),
    "an empty XDG_CACHE_HOME": (LIST, {"XDG_CACHE_HOME": ""}),
    "COLUMNS that is no number": (RUN, {"COLUMNS": "²"}),
    "COLUMNS=1": (REPORT, {"COLUMNS": "1"}),
    "an empty environment": (LIST, None),
    "CC that can't be read": (LIST, {"CC": '"unclosed'}),
}


@pytest.mark.parametrize("row", SURROUNDINGS)
def test_surroundings(lab, row):
    words, changes = SURROUNDINGS[row]
    synthetic.result(lab.results / "old", what=[("random", 100, 10.0)], processes=6)
    env = {"PATH": os.environ["PATH"]} if changes is None else lab.env
    env = {name: value for name, value in {**env, **(changes or {})}.items() if value is not None}
    done = lab.bench(*(word.format(new=lab.name(), old=lab.results / "old") for word in words), env=env)
    said = survived(done, 0)
    assert "Error" not in said
    assert "scan-wp" in done.stdout


# Programs that are missing: PATH has all others
@pytest.mark.parametrize(
    ("missing", "status", "says"),
    [
        ("setpriv", 0, ""),
        ("git", 0, ""),
        ("strip", 0, ""),
        ("ldd", 3, "there is no program ldd on this machine"),
        ("qemu-system-x86_64", 3, "no qemu-system-x86_64 on this machine"),
    ],
)
def test_a_program_is_missing(lab, missing, status, says):
    words = lab.qemu("begin(); work(); end()")
    lab.env["XDG_CACHE_HOME"] = str(lab.folder / "cache")
    tools = lab.folder / "all"
    tools.mkdir()
    for folder in lab.env["PATH"].split(":"):
        for path in os.scandir(folder) if os.path.isdir(folder) else ():
            if path.name != missing and not (tools / path.name).is_symlink():
                (tools / path.name).symlink_to(path.path)
    lab.env["PATH"] = str(tools)
    done = lab.bench(*words)
    assert says in survived(done, status)


# The checkout lies in an odd place


def checkout(folder, venv=True):
    """A copy of what runs, with the same virtual environment."""
    for name in CODE:
        source = ROOT / name
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, folder / name, ignore=ignore) if source.is_dir() else shutil.copy2(source, folder)
    if venv:
        (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder / "bench.py"


PLACES = {
    "no UTF-8": b"a\xff\xfeb",
    "quotes, escapes and two lines": b"a 'b\"c$d\x1b[31m\nb",
}


@pytest.mark.parametrize("place", PLACES)
def test_places_of_a_checkout(lab, place):
    folder = os.path.join(os.fsencode(lab.folder), PLACES[place])
    os.mkdir(folder)
    program = checkout(Path(os.fsdecode(folder)))
    words = ["run", *HERE, "--processes", "1", "--name", "first"]
    done = subprocess.run([program, *words], env=lab.env, capture_output=True, timeout=120, check=False)
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0, said
    assert "Traceback" not in said
    assert b"scan-wp" in done.stdout
    assert b"\x1b" not in done.stdout + done.stderr


# Python, and its environment


@pytest.mark.parametrize(
    "words",
    [
        "MPLBACKEND=module://matplotlib_inline.backend_inline",
        "SOURCE_DATE_EPOCH=abc",
        f"SOURCE_DATE_EPOCH={10**30}",
        "NUMPY_MADVISE_HUGEPAGE=abc",
        "PANDAS_FUTURE=abc",
        "PANDAS_FUTURE_INFER_STRING=abc",
    ],
)
def test_what_the_environment_tells_libraries_ends_nothing(lab, words):
    """The first is what Jupyter sets."""
    lab.env |= dict([words.split("=")])
    done = lab.bench("report", synthetic.result(lab.results / "a", what=[("random", 100, 10.0)]))
    assert "phases" in survived(done, 0) + done.stdout


@pytest.mark.parametrize(("place", "content"), [("own", b"text.usetex: True\n\xff"), (".", b"text.usetex: True\nx\n")])
def test_settings_of_other_plots_change_none_of_ours(lab, place, content):
    """matplotlib reads a file of a person, of the environment, or of the folder where it is."""
    (lab.folder / place).mkdir(exist_ok=True)
    (lab.folder / place / "matplotlibrc").write_bytes(content)
    lab.env["MATPLOTLIBRC"] = str(lab.folder / "own")
    result = synthetic.result(lab.results / "a", what=[("random", 100, 10.0)])
    done = lab.bench("report", result, cwd=lab.folder)
    assert "phases" in survived(done, 0) + done.stdout


def test_a_warning_is_one_line_and_ends_nothing(lab):
    lab.env["PYTHONWARNINGS"] = "error"
    lab.hang_in("pandas", "import warnings\nwarnings.warn('odd,\\n\\x1b[31mtoo', FutureWarning)\nraise SystemExit(0)")
    done = lab.bench("report", synthetic.result(lab.results / "a", what=[("random", 100, 10.0)]))
    assert survived(done, 0) == "warning: odd, too\n"


def test_what_libraries_say_is_told_as_we_tell(lab):
    """In one line each, without the code that said it."""
    lab.env["MPLCONFIGDIR"] = "/proc/x"
    both = [synthetic.result(lab.results / name, what=[("random", 100, 10.0)]) for name in ("a", "\u4e2d\u6587")]
    done = lab.bench("compare", *both, "--name", lab.results / "both")
    assert "Glyph" not in survived(done, 0)
    lines = [line for line in done.stderr.splitlines() if "matplotlib" in line.lower()]
    assert lines
    assert all(line.startswith("warning: ") for line in lines), done.stderr


QUIET = ["run", *HERE, "--processes", "1", "--quiet", "--name", "{new}"]


@pytest.mark.parametrize(
    ("words", "status"),
    [(REPORT, 3), (["bisect", "{old}", "--fail-on", "1%"], 255), (QUIET, 3)],
    ids=lambda one: str(one)[:8],
)
def test_a_fault_of_ours_does_not_pass_for_a_wrong_answer(lab, words, status):
    """Python would end with 1. Its lines are shown: who reports it needs them."""
    lab.hang_in("pandas", "raise RuntimeError('odd')")
    old = synthetic.result(lab.results / "old", what=[("random", 100, 10.0)])
    done = lab.bench(*(word.format(new=lab.name(), old=old) for word in words))
    assert done.returncode == status, done.stderr
    assert "RuntimeError: odd\nerror: this is a fault of this suite\nhint: please report it" in done.stderr


def test_a_venv_without_its_configuration(lab):
    """Python in it is the system's then: it does not start itself for ever."""
    (lab.folder / "tree").mkdir()
    program = checkout(lab.folder / "tree", venv=False)
    (lab.folder / "tree/.venv/bin").mkdir(parents=True)
    (lab.folder / "tree/.venv/bin/python").symlink_to(sys.executable)
    command = ["/usr/bin/python3", "-S", program, "--version"]
    done = subprocess.run(command, env=lab.env, capture_output=True, text=True, timeout=30, check=False)
    assert "make setup" in survived(done, 2, "Python has no module 'click'")


def test_a_venv_of_another_python(lab):
    """Its configuration is there, and can't be read as such: the same again and again."""
    (lab.folder / "tree").mkdir()
    program = checkout(lab.folder / "tree", venv=False)
    (lab.folder / "tree/.venv/bin").mkdir(parents=True)
    (lab.folder / "tree/.venv/bin/python").write_text('#!/bin/sh\nexec /usr/bin/python3 "$@"\n')
    (lab.folder / "tree/.venv/bin/python").chmod(0o755)
    (lab.folder / "tree/.venv/pyvenv.cfg").write_text("")
    done = subprocess.run([program, "list"], env=lab.env, capture_output=True, text=True, timeout=30, check=False)
    assert "make setup" in survived(done, 2, "is no virtual environment that this user can use")


def test_ctrl_c_while_python_starts_is_answered_when_it_has(lab):
    """Python would print its own traceback, and make it 1. Here it starts when it is told to."""
    (lab.folder / "tree").mkdir()
    program, bin_ = checkout(lab.folder / "tree", venv=False), lab.folder / "tree/.venv/bin"
    bin_.mkdir(parents=True)
    for name in ("pyvenv.cfg", "lib", "bin/python3"):
        (bin_.parent / name).symlink_to(Path(sys.prefix, name))
    (bin_ / "python").write_text(f"""#!{Path(sys.executable).resolve()} -S
import os, sys, time
open({str(lab.came)!r}, "w").close()
while not os.path.exists({str(lab.folder / "go")!r}): time.sleep(0.01)
sys.argv[0] = {str(bin_ / "python3")!r}
os.execv(sys.argv[0], sys.argv)
""")
    (bin_ / "python").chmod(0o755)
    words = ["env", "--default-signal", program, "list"]
    process = subprocess.Popen(words, env=lab.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lab.until(process, lab.came.exists)
    process.send_signal(signal.SIGINT)
    (lab.folder / "go").touch()
    stdout, stderr = process.communicate(timeout=60)
    done = subprocess.CompletedProcess(words, process.returncode, stdout, stderr)
    assert survived(done, 130, "error: interrupted by SIGINT").endswith("nothing was begun: run it again\n")


def test_a_venv_whose_python_is_gone(lab):
    (lab.folder / "tree").mkdir()
    program = checkout(lab.folder / "tree", venv=False)
    (lab.folder / "tree/.venv/bin").mkdir(parents=True)
    (lab.folder / "tree/.venv/bin/python").symlink_to("/nonexistent/python3")
    (lab.folder / "tree/.venv/pyvenv.cfg").write_text("")
    done = subprocess.run([program, "list"], env=lab.env, capture_output=True, text=True, timeout=30, check=False)
    survived(done, 2, "leads to no Python")


def test_another_users_python(lab):
    """It lies where this user may not look."""
    if os.geteuid():
        pytest.skip("only root may become another user")
    (lab.folder / "tree").mkdir()
    program = checkout(lab.folder / "tree", venv=False)
    (lab.folder / "tree/.venv/bin").mkdir(parents=True)
    (lab.folder / "tree/.venv").chmod(0o700)
    for folder in [lab.folder, *lab.folder.parents]:
        if folder.stat().st_uid == os.geteuid() and folder.name.startswith(("pytest-", "popen-", lab.folder.name)):
            folder.chmod(0o755)
    command = [*NOBODY, "/usr/bin/python3", program, "list"]
    done = subprocess.run(command, env=lab.env, capture_output=True, text=True, timeout=30, check=False)
    said = survived(done, 2, "can't be used: Permission denied")
    assert "hint: " in said


# What Python 3.8's library has not, removed before setup is imported
_OLD = """
import argparse, contextlib, enum, functools, hashlib, importlib.util, itertools, pathlib, platform, shutil, subprocess
import sys, sysconfig, threading, typing
for module, names in ((functools, "cache"), (itertools, "pairwise"), (enum, "StrEnum"), (contextlib, "chdir aclosing"),
                      (typing, "Annotated Concatenate Never NotRequired ParamSpec Required Self TypeAlias TypeGuard "
                               "TypeVarTuple Unpack LiteralString assert_never assert_type get_overloads reveal_type")):
    [delattr(module, name) for name in names.split()]
sys.path.insert(0, ".")
from bench import setup
sys.version_info = (3, 8, 20)
sys.exit(setup.main([]))
"""


def test_an_old_python_says_that_it_is_too_old():
    """What runs before the version is asked for is understood by Python 3.8, and found in its library."""
    for name in ("bench.py", *(f"bench/{one}.py" for one in ("__init__", "setup", "processes", "signals", "errors"))):
        tree = ast.parse((ROOT / name).read_text(), feature_version=(3, 8))
        future = [one.module for one in tree.body if isinstance(one, ast.ImportFrom)]
        assert name in ("bench.py", "bench/__init__.py") or "__future__" in future, "annotations would be evaluated"
    command = [sys.executable, "-I", "-S", "-c", _OLD]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert "PYTHON=" in survived(done, 2, "3.11 is needed\nhint: ")


def test_a_busy_machine_says_nothing_of_what_works(lab, monkeypatch):
    """Else all programs of this process would have no guard."""
    lab.tool("guard", "exec sleep 300")
    tool = str(lab.folder / "tools/guard")
    with monkeypatch.context() as short:
        short.setattr(processes, "LEAVE_SECONDS", 0.1)
        assert processes._works(tool)
    lab.tool("guard", "exit 1")
    assert not processes._works(tool)


@pytest.mark.parametrize(
    ("program", "given", "hint"),
    [("apt-get", {}, "is there a network"), ("apt-get", {"hint": "wait"}, "wait")],
)
def test_a_program_that_takes_too_long_has_its_hint(lab, program, given, hint):
    lab.tool(program, "exec sleep 300")
    with pytest.raises(ProgramFailed, match=r"took more than 0\.1 s") as caught:
        processes.run([str(lab.folder / "tools" / program)], 0.1, **given)
    assert hint in caught.value.hint


def test_a_module_is_missing(lab):
    (lab.folder / "tree").mkdir()
    program = checkout(lab.folder / "tree")
    shadows = lab.folder / "shadows"
    shadows.mkdir()
    (shadows / "pandas.py").write_text("import a_module_that_is_nowhere\n")
    synthetic.result(lab.results / "old", what=[("random", 100, 10.0)], processes=6)
    env = lab.env | {"PYTHONPATH": str(shadows)}
    command = [program, "report", lab.results / "old"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert "make setup" in survived(done, 2, "a_module_that_is_nowhere can't be loaded")


# What the kernel refuses


PRCTL, AFFINITY, PDEATHSIG = 157, 203, 1
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def sandboxed(call, first=None):
    """A Python program that refuses a system call, with this first argument, to what it then runs."""
    code = [(0x20, 0, 0, 0), (0x15, 0, 1 if first is None else 3, call)]
    code += [(0x20, 0, 0, 16), (0x15, 0, 1, first)] if first is not None else []
    code += [(0x06, 0, 0, ERRNO | 1), (0x06, 0, 0, ALLOW)]
    data = b"".join(struct.pack("HBBI", *one) for one in code)
    return [sys.executable, "-c", f"""
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
data = ctypes.create_string_buffer({data!r})
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
program = Program({len(code)}, ctypes.addressof(data))
assert not libc.prctl(38, 1, 0, 0, 0) and not libc.prctl(22, 2, ctypes.byref(program), 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""]  # fmt: skip


@pytest.mark.parametrize(
    ("filtered", "says"),
    [
        (sandboxed(PRCTL, PDEATHSIG), "the kernel refuses prctl(PR_SET_PDEATHSIG): Operation not permitted"),
        (sandboxed(AFFINITY), "the kernel refuses sched_setaffinity(CPU"),
    ],
    ids=["prctl", "sched_setaffinity"],
)
def test_a_sandbox_refuses(lab, filtered, says):
    assert ctypes.sizeof(ctypes.c_void_p) == 8
    words = [*filtered, ROOT / "bench.py", "run", *HERE, "--processes", "1", "--name", lab.name()]
    done = subprocess.run(words, env=lab.env, capture_output=True, text=True, timeout=120, check=False)
    assert "sandbox" in survived(done, 3, says)
    assert not lab.name().exists()


def test_a_guest_starts_where_no_death_signal_is_to_be_had(lab):
    words = [*sandboxed(PRCTL, PDEATHSIG), ROOT / "bench.py", *lab.qemu("begin(); work(); end()")]
    done = subprocess.run(words, env=lab.env, capture_output=True, text=True, timeout=120, check=False)
    survived(done, 0)


LIMITS = {
    "files": (["prlimit", "--nofile=6"], ["report", "{old}"], (2,), "files"),
    "files, while measuring": (["prlimit", "--nofile=8"], ["run", *HERE, "--name", "{new}"], (2, 3), ""),
    "memory": (["prlimit", "--as=120000000"], ["report", "{old}"], (2,), "the limit on memory is 114 MiB"),
    "memory, while measuring": (["prlimit", "--as=600000000"], ["run", *HERE, "--name", "{new}"], (0, 2, 3), ""),
}


@pytest.mark.parametrize("row", LIMITS)
def test_limits(lab, row):
    limit, words, statuses, says = LIMITS[row]
    synthetic.result(lab.results / "old", what=[("random", 100, 10.0)], processes=6)
    words = [word.format(old=lab.results / "old", new=lab.name()) for word in words]
    command = [*limit, ROOT / "bench.py", *words]
    done = subprocess.run(command, env=lab.env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in statuses, done.stderr
    if done.returncode > 0:
        assert says in survived(done, done.returncode)
        assert "hint: " in done.stderr


def test_no_more_processes(lab):
    """Of a user who may have three."""
    if os.geteuid():
        pytest.skip("only root may become another user")
    (lab.folder / "tree").mkdir()
    program = checkout(lab.folder / "tree", venv=False)
    for folder in [lab.folder, *lab.folder.parents][:3]:
        folder.chmod(0o755)
    script = f"import sys; sys.path.insert(0, {str(program.parent)!r}); from bench import processes\n"
    script += "from bench.errors import BenchError\n"
    script += "try: processes.run(['true'], 5.0)\nexcept BenchError as error: print(error, error.hint)"
    command = [*NOBODY, "prlimit", "--nproc=1", "/usr/bin/python3", "-c", script]
    done = subprocess.run(command, env=lab.env, capture_output=True, text=True, timeout=30, check=False)
    assert not done.stderr
    assert "true can't be started: Resource temporarily unavailable is there a limit on processes" in done.stdout


def mounted(script, *words):
    """A command in a mount namespace of its own, after this script."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{script}; exec "$@"', "sh", *words]


@pytest.mark.parametrize(
    ("script", "statuses"),
    [
        ("umount -l /proc", (0, 2, 3)),
        ("mount -o remount,bind,ro /proc", (0, 2, 3)),
        ("mount -t tmpfs tmpfs /sys; mount --bind /dev/null /proc/cpuinfo", (0,)),
        ("mount --bind /dev/null /proc/meminfo", (0, 2, 3)),
    ],
    ids=["no proc", "proc read-only", "no sys", "meminfo empty"],
)
def test_what_the_system_tells_is_missing(lab, script, statuses):
    if os.geteuid():
        pytest.skip("only root may mount a file system")
    words = [ROOT / "bench.py", "run", *HERE, "--processes", "1", "--name", lab.name()]
    done = subprocess.run(
        mounted(script, *words), env=lab.env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode in statuses, done.stderr
    said = survived(done, done.returncode)
    assert not done.returncode or "hint: " in said
