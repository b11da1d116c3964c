# SPDX-License-Identifier: GPL-2.0-only
"""What is set up, when again, and that dependencies of a run and of tests stay apart."""

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench import setup, signals

ROOT = Path(__file__).resolve().parents[1]
CHECKOUT = {"bench", "plots", "workloads", "tests"}
CALLED_OTHERWISE = {
    "PIL": "pillow",
    "kcidb_io": "kcidb-io",
    "mesonbuild": "meson",
    "tap": "tap-py",
    "yaml": "pyyaml",
}  # import name: distribution
NOT_IMPORTED = {"setuptools": "cffi builds with it"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty checkout, and the list of commands that setup runs in it instead of running them."""
    (tmp_path / "core/interfaces").mkdir(parents=True)
    for name in ("requirements.txt", "requirements-dev.txt", "core/one.c", "core/core.h", "core/interfaces/none.c"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "VENV", tmp_path / "venv")
    monkeypatch.setattr(setup, "PYTHON", tmp_path / "venv/bin/python")
    monkeypatch.setattr(setup, "CORE", tmp_path / "core")
    monkeypatch.delenv("BENCH_CORE_FLAGS", raising=False)
    ran = []

    def run(what, hint, *command):
        ran.append(what)
        if what == "making .venv":
            for stamp in (tmp_path / "venv").glob("*.made-from"):
                stamp.unlink()
            setup.PYTHON.parent.mkdir(parents=True, exist_ok=True)
            setup.PYTHON.touch()
        elif what == "compiling bench/core":
            suffix = setup.sysconfig.get_config_var("EXT_SUFFIX")
            (tmp_path / f"core/_core{suffix}").touch()
        ran.extend(word for word in command if word.startswith("requirements"))
        return ""

    monkeypatch.setattr(setup, "run", run)
    return tmp_path, ran


def steps(ran, *calls):
    """What each call ran."""
    found = []
    for call, *arguments in calls:
        del ran[:]
        call(*arguments)
        found.append(list(ran))
    return found


def test_the_environment_is_made_once_and_tests_needs_are_added_to_it(place):
    root, ran = place
    run_only = ["making .venv", "pip install", "requirements.txt"]
    both = ["pip install", "requirements.txt", "requirements-dev.txt"]
    wanted = [(setup.environment, False), (setup.environment, False), (setup.environment, True)]
    assert steps(ran, *wanted, (setup.environment, True), (setup.environment, False)) == [run_only, [], both, [], []]
    for lock, dev in (("requirements-dev.txt", True), ("requirements.txt", True)):
        (root / lock).write_text("another")
        assert steps(ran, (setup.environment, dev)) == [["making .venv", *both]], "what is needed no more must go"
    setup.PYTHON.unlink()
    assert steps(ran, (setup.environment, False)) == [run_only]


def test_what_failed_half_way_is_done_again(place, monkeypatch):
    _, ran = place
    monkeypatch.setattr(setup, "run", lambda *_: (_ for _ in ()).throw(setup.SetupError("no", "hint")))
    for step in ((setup.environment, False), (setup.core,)):
        with pytest.raises(setup.SetupError):
            steps(ran, step)
    assert not list(setup.VENV.glob("*"))


def test_the_core_is_compiled_where_a_source_was_changed_added_or_removed(place):
    root, ran = place
    setup.environment(False)
    compiled = ["compiling bench/core"]
    assert steps(ran, (setup.core,), (setup.core,)) == [compiled, []]
    added = root / "core/interfaces/new.c"
    for change in (
        lambda: (root / "core/core.h").write_text("else"),
        lambda: added.write_text("new"),
        lambda: added.rename(added.with_name("newer.c")),
        (root / "core/interfaces/newer.c").unlink,
        lambda: next((root / "core").glob("_core*")).unlink(),
    ):
        change()
        assert steps(ran, (setup.core,), (setup.core,)) == [compiled, []]
    (root / "core/_core.c").write_text("generated")
    assert steps(ran, (setup.core,)) == [[]]


def test_flags_of_the_core_are_said_and_it_is_compiled_with_them(place, monkeypatch, capsys):
    _, ran = place
    setup.environment(False)
    compiled = ["compiling bench/core"]
    assert steps(ran, (setup.core,)) == [compiled]
    assert "BENCH_CORE_FLAGS" not in capsys.readouterr().err
    monkeypatch.setenv("BENCH_CORE_FLAGS", "-O0")
    assert steps(ran, (setup.core,), (setup.core,)) == [compiled, []]
    assert capsys.readouterr().err.count("BENCH_CORE_FLAGS is set, so the C core measures otherwise: '-O0'") == 2
    monkeypatch.delenv("BENCH_CORE_FLAGS")
    assert steps(ran, (setup.core,)) == [compiled]


@pytest.mark.parametrize("step", ["vm_tools", "plugin"])
def test_a_program_that_does_not_end_is_an_error_with_a_hint(step, monkeypatch, capsys, tmp_path):
    for done in ("build_tools", "install", "environment", "core", "vm_tools", "plugin"):
        if done != step:
            monkeypatch.setattr(setup, done, lambda *_: {})
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 300\n")
    python.chmod(0o755)
    monkeypatch.setattr(setup, "PYTHON", python)
    monkeypatch.setattr(setup, "_SECONDS", 0.1)
    monkeypatch.setattr(setup.shutil, "which", lambda name: name)
    monkeypatch.setattr(setup.signals, "catch", lambda: None)
    assert setup.main([]) == 2
    assert re.match(r"error: .*python took more than 0.1 s.*\nhint: .+", capsys.readouterr().err)


def test_setup_needs_nothing_but_python():
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.path.append('.'); import bench.setup as s; s.main(['-h'])"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "--dev" in done.stdout


def test_an_old_python_is_told_so(monkeypatch, capsys):
    monkeypatch.setattr(setup.sys, "version_info", (3, 10))
    assert setup.main([]) == 2
    assert "3.11 is needed\nhint: make PYTHON=" in capsys.readouterr().err


def listed(name):
    """The distributions that a requirements file asks for."""
    lines = (ROOT / name).read_text().splitlines()
    return {match[0] for line in lines if (match := re.match(r"[a-z][\w.-]*", line))}


def imported(*globs):
    """Distributions that Python files import."""
    files = [path for pattern in globs for path in ROOT.glob(pattern)]
    found = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return {CALLED_OTHERWISE.get(name, name) for name in found - set(sys.stdlib_module_names) - CHECKOUT}


def test_a_run_installs_what_it_imports_and_nothing_else():
    assert (
        imported("bench/**/*.py", "plots/*.py", "workloads/*.py", "bench.py")
        == listed("requirements.in") - NOT_IMPORTED.keys()
    )


def test_tests_find_what_they_import():
    assert imported("tests/**/*.py") <= listed("requirements.in") | listed("requirements-dev.in")
    assert not listed("requirements.in") & listed("requirements-dev.in")


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_a_lock_has_all_that_is_asked_for_with_hashes(name):
    lock = (ROOT / f"{name}.txt").read_text()
    pinned = dict(re.findall(r"^([a-z][\w.-]*)==([^\s;]+)", lock, re.MULTILINE))
    assert listed(f"{name}.in") <= pinned.keys()
    for entry in re.split(r"\n(?=[a-z])", lock)[1:]:
        assert "--hash=sha256:" in entry, entry
    assert "://" not in lock, "no index of one machine"


def test_both_locks_agree():
    locks = [(ROOT / f"{name}.txt").read_text() for name in ("requirements", "requirements-dev")]
    ours, theirs = (set(re.findall(r"^([a-z].*) \\$", lock, re.MULTILINE)) for lock in locks)
    names = {line.partition("==")[0] for line in ours}
    assert {line for line in theirs if line.partition("==")[0] in names} <= ours


def test_a_commit_is_checked_as_make_check_does():
    makefile = (ROOT / "Makefile").read_text()
    checks = re.search(r"^check: (.*)$", makefile, re.MULTILINE)[1].split()
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"entry: make (\S+)", hooks) == checks
    assert "repo: local" in hooks
    assert "http" not in hooks


@pytest.mark.parametrize(
    ("system", "said"),
    [
        ({"ID": "fedora"}, "dnf install gcc python3-devel qemu-system-x86"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "dnf install gcc python3-devel qemu-kvm"),
        ({"ID": "manjaro", "ID_LIKE": "arch"}, "pacman -S --needed gcc python qemu-system-x86"),
        ({"ID": "opensuse-tumbleweed", "ID_LIKE": "opensuse suse"}, "zypper install gcc python3-devel qemu-x86"),
        ({"ID": "alpine"}, "apk add gcc python3-dev qemu-system-x86_64"),
        ({}, "(Debian's packages are called: gcc python3-dev qemu-system-x86)"),
    ],
)
def test_elsewhere_packages_have_the_names_of_the_distribution(system, said):
    assert setup.elsewhere(["gcc", "python3-dev", "qemu-system-x86"], system).endswith(said)


def test_without_apt_the_hint_is_for_this_distribution(monkeypatch):
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    monkeypatch.setattr(setup, "_system", lambda: {"ID": "arch"})
    with pytest.raises(setup.SetupError) as raised:
        setup.install({"C compiler": "gcc"})
    assert raised.value.hint == "run as root: pacman -S --needed gcc"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Puts a program of this name in front of all others; each adds to a file what it was given: (have, file)."""
    folder, said = tmp_path / "programs", tmp_path / "said"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def have(name, script=""):
        (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{said}\n{script}\n')
        (folder / name).chmod(0o755)

    return have, said


def test_root_has_missing_packages_installed(programs, monkeypatch, capsys):
    have, said = programs
    have("apt-get")
    monkeypatch.setattr(setup.os, "geteuid", lambda: 0)
    setup.install({})
    assert not said.exists()
    setup.install({"C library headers": "libc6-dev", "C compiler": "gcc"})
    install = "apt-get install --yes --no-install-recommends gcc libc6-dev"
    assert said.read_text().splitlines() == ["apt-get -q update", install]
    assert f"setup: this machine has no C library headers, C compiler: {install}" in capsys.readouterr().err


def test_who_is_not_root_is_told_what_to_type(programs, monkeypatch):
    have, said = programs
    have("apt-get")
    monkeypatch.setattr(setup.os, "geteuid", lambda: 1000)
    with pytest.raises(setup.SetupError, match="this machine has no C compiler") as raised:
        setup.install({"C compiler": "gcc"})
    assert raised.value.hint == "run: sudo apt-get install --yes --no-install-recommends gcc"
    assert not said.exists()


def test_of_a_program_that_fails_the_last_lines_are_shown(programs, monkeypatch):
    programs[0]("apt-get", "for line in 1 2 3 4 5 6 7 8 9; do echo E: $line >&2; done; exit 100")
    monkeypatch.setattr(setup.os, "geteuid", lambda: 0)
    with pytest.raises(setup.SetupError) as raised:
        setup.install({"C compiler": "gcc"})
    assert str(raised.value) == "\n".join(["apt-get update failed:", *(f"E: {line}" for line in range(2, 10))])
    assert "network" in raised.value.hint


def test_a_program_that_can_not_be_started_is_named_with_the_hint():
    with pytest.raises(setup.SetupError, match="the step failed: there is no program no-such-program") as raised:
        setup.run("the step", "what to do", "no-such-program")
    assert raised.value.hint == "what to do"


def test_a_system_that_does_not_say_what_it_is_gets_debians_names(monkeypatch):
    def unknown():
        raise FileNotFoundError("/etc/os-release")

    monkeypatch.setattr(setup.platform, "freedesktop_os_release", unknown)
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    with pytest.raises(setup.SetupError) as raised:
        setup.install({"C compiler": "gcc"})
    assert raised.value.hint.endswith("(Debian's packages are called: gcc)")


def test_what_the_core_needs_and_this_machine_lacks_is_found(monkeypatch, tmp_path):
    """What compiled this core is there."""
    monkeypatch.delenv("CC", raising=False)
    assert setup.build_tools() == {}
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    monkeypatch.setattr(setup.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    monkeypatch.setattr(setup.importlib.util, "find_spec", lambda name: None)
    assert set(setup.build_tools().values()) == {"python3-venv", "gcc", "python3-dev"}


@pytest.mark.parametrize(("machine", "missing"), [("x86_64", setup.VM_PROGRAMS), ("riscv64", {})])
def test_what_guests_need_is_found_where_there_can_be_any(machine, missing, monkeypatch, capsys):
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    monkeypatch.setattr(setup.platform, "machine", lambda: machine)
    assert setup.vm_tools(True) == missing
    assert ("no virtual machine on riscv64" in capsys.readouterr().err) == (machine == "riscv64")


@pytest.mark.parametrize(("status", "missing"), [(0, {}), (1, setup.VM_PROGRAMS)])
def test_guests_are_for_interfaces_that_the_running_kernel_lacks(status, missing, monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nexit {status}\n")
    python.chmod(0o755)
    monkeypatch.setattr(setup, "PYTHON", python)
    monkeypatch.setattr(setup.shutil, "which", lambda name: name if name == str(python) else None)
    monkeypatch.setattr(setup.platform, "machine", lambda: "x86_64")
    assert setup.vm_tools(False) == missing


def test_a_plugin_that_does_not_compile_is_no_error(monkeypatch, capsys, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho first >&2\necho no glib.h >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(setup, "PYTHON", python)
    monkeypatch.setattr(setup.shutil, "which", lambda name: name)
    setup.plugin()
    assert capsys.readouterr().err == "setup: QEMU's plugin is not there: no glib.h\n"


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (PermissionError(13, "Permission denied", ".venv"), 2, "error: .*'.venv'\nhint: is this checkout yours"),
        (signals.Interrupted(signal.SIGTERM), 128 + signal.SIGTERM, "error: .*\nhint: run it again"),
        (setup.SetupError("no", "do this"), 2, "error: no\nhint: do this"),
    ],
)
def test_what_ends_setup_is_said_in_two_lines(raised, status, said, monkeypatch, capsys):
    def fail(*_):
        raise raised

    monkeypatch.setattr(setup, "build_tools", fail)
    monkeypatch.setattr(setup.signals, "catch", lambda: None)
    assert setup.main([]) == status
    assert re.match(said, capsys.readouterr().err)
