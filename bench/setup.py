# SPDX-License-Identifier: GPL-2.0-only
"""Sets everything up in this checkout: `python3 -m bench.setup [--dev] [--vm]`, run by `make`. Needs only Python.

A virtual environment with the locked dependencies of a run, and with --dev those of tests and checks; the compiled C
core; QEMU, with --vm always, else only where the running kernel lacks an interface; and QEMU's plugin that counts
instructions. Debian packages that are missing are installed if root types it, else named.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path

from bench import processes, signals
from bench.errors import BenchError, ProgramFailed

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin/python"
CORE = ROOT / "bench/core"
_SECONDS = 3600.0  # for any one program: packages come over slow networks
VM_PROGRAMS = {"qemu-system-x86_64": "qemu-system-x86", "dpkg-deb": "dpkg", "ldd": "libc-bin"}

# What other distributions call Debian's packages, where they call them otherwise, and how they install them.
_FEDORA = {
    "python3-venv": "python3",
    "libc6-dev": "glibc-devel kernel-headers",
    "python3-dev": "python3-devel",
    "libc-bin": "glibc-common",
}
_SUSE = {
    "python3-venv": "python3",
    "libc6-dev": "glibc-devel linux-glibc-devel",
    "python3-dev": "python3-devel",
    "libc-bin": "glibc",
    "qemu-system-x86": "qemu-x86",
}
DISTRIBUTIONS = {
    "fedora": ("dnf install", _FEDORA),
    "rhel": ("dnf install", _FEDORA | {"qemu-system-x86": "qemu-kvm"}),
    "arch": (
        "pacman -S --needed",
        {"python3-venv": "python", "python3-dev": "python",
         "libc6-dev": "glibc linux-api-headers", "libc-bin": "glibc"},
    ),
    "suse": ("zypper install", _SUSE),
    "opensuse": ("zypper install", _SUSE),
    "alpine": (
        "apk add",
        {"python3-venv": "python3", "libc6-dev": "musl-dev linux-headers", "libc-bin": "musl-utils",
         "qemu-system-x86": "qemu-system-x86_64"},
    ),
}  # fmt: skip


class SetupError(BenchError):
    """What is missing, and what to do about it."""


def say(text: str) -> None:
    """Tell what takes a while."""
    with suppress(OSError, ValueError):  # standard error is closed, or full
        print(f"setup: {text}", file=sys.stderr, flush=True)


def run(what: str, hint: str, *command: str) -> str:
    """Run a command and return its output. Raises SetupError with its last lines."""
    try:
        done = processes.run(command, _SECONDS, cwd=ROOT, stderr=processes.STDOUT)
    except ProgramFailed as error:
        raise SetupError(f"{what} failed: {error}", hint) from None
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-8:])
        raise SetupError(f"{what} failed:\n{tail}", hint)
    return done.stdout


def install(missing: dict[str, str]) -> None:
    """Install Debian packages, given with what each is for. Raises SetupError where that can't be done here."""
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *sorted(set(missing.values()))]
    what = f"this machine has no {', '.join(missing)}"
    if not shutil.which("apt-get"):
        raise SetupError(what, elsewhere(command[4:], _system()))
    if os.geteuid():
        raise SetupError(what, f"run: sudo {' '.join(command)}")
    say(f"{what}: {' '.join(command)}")
    hint = "is there a network, and a package mirror in apt's configuration?"
    run("apt-get update", hint, "apt-get", "-q", "update")
    run("apt-get install", hint, "env", "DEBIAN_FRONTEND=noninteractive", *command)


def elsewhere(packages: list[str], system: dict[str, str]) -> str:
    """Return how what these packages of Debian hold is installed on a system that os-release(5) describes so."""
    for family in (system.get("ID", ""), *system.get("ID_LIKE", "").split()):
        if found := DISTRIBUTIONS.get(family):
            command, names = found
            words = dict.fromkeys(word for package in packages for word in names.get(package, package).split())
            return f"run as root: {command} {' '.join(words)}"
    return f"install it by this system's own means (Debian's packages are called: {' '.join(packages)})"


def _system() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def build_tools() -> dict[str, str]:
    """Return what the environment and the core need and this machine lacks: {what: Debian package}."""
    missing = {}
    if not importlib.util.find_spec("ensurepip") or not importlib.util.find_spec("venv"):
        missing["Python venv module"] = "python3-venv"
    if not shutil.which((os.environ.get("CC", "").split() or ["cc"])[0]):
        missing["C compiler"] = "gcc"
    if not Path("/usr/include/stdio.h").exists() or not Path("/usr/include/linux/userfaultfd.h").exists():
        missing["C library headers"] = "libc6-dev"
    if not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        missing["Python headers"] = "python3-dev"
    return missing


def environment(dev: bool) -> None:
    """Make .venv with what the locks say, unless that is in it already."""
    locks = ["requirements.txt", "requirements-dev.txt"][: 1 + dev]
    digests = {lock: _digest([ROOT / lock], sys.version) for lock in locks}
    stale = [lock for lock in locks if not _recorded(lock, digests[lock])]
    if not stale and PYTHON.exists():
        return
    only_added = PYTHON.exists() and stale == locks[1:] and not _stamp(stale[0]).exists()
    if not only_added:
        say("making .venv with the locked dependencies")
        run("making .venv", "install Python with its venv module", sys.executable, "-m", "venv", "--clear", str(VENV))
    else:
        say("adding what tests and checks need to .venv")
    hint = "is there a network that reaches PyPI, or a mirror in pip's configuration?"
    # Without --no-compile, half of the time and a quarter of the space go into bytecode that nobody reads.
    pip = ("-m", "pip", "install", "--quiet", "--no-compile", "--require-hashes")
    run("pip install", hint, str(PYTHON), *pip, *(word for lock in locks for word in ("--requirement", lock)))
    for lock, digest in digests.items():
        _stamp(lock).write_text(digest)


def core() -> None:
    """Compile the C core, unless it was compiled from these sources with these flags."""
    sources = sorted(path for path in CORE.rglob("*") if path.suffix in (".c", ".h", ".py") and path.stem != "_core")
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    flags = os.environ.get("BENCH_CORE_FLAGS", "")
    if flags:
        say(f"BENCH_CORE_FLAGS is set, so the C core measures otherwise: {flags!r}; unset it to measure as others do")
    digest = _digest(sources, suffix, flags)
    built = CORE / f"_core{suffix}"
    if built.exists() and _recorded("core", digest):
        return
    say("compiling the C core")
    run("compiling bench/core", "is the compiler whole? CC=... chooses another", str(PYTHON), "-m", "bench.core.build")
    _stamp("core").write_text(digest)


def _digest(paths: list[Path], *rest: str) -> str:
    """Digest the names and contents of files: one that was added, removed or changed makes another."""
    parts = [part for path in paths for part in (str(path.relative_to(ROOT)).encode(), path.read_bytes())]
    return hashlib.sha256(b"\0".join([*parts, *(text.encode() for text in rest)])).hexdigest()


def _stamp(what: str) -> Path:
    return VENV / f"{what}.made-from"


def _recorded(what: str, digest: str) -> bool:
    """Whether .venv says that it was made from this."""
    return _stamp(what).exists() and _stamp(what).read_text() == digest


def vm_tools(always: bool) -> dict[str, str]:
    """Return what a virtual machine needs and this machine lacks: {what: Debian package}."""
    if not always:
        code = "from bench.measure.probe import probe_all; raise SystemExit(any(map(any, probe_all().values())))"
        if not processes.run([str(PYTHON), "-c", code], _SECONDS, cwd=ROOT).returncode:
            return {}
    if platform.machine() != "x86_64":
        say(f"no virtual machine on {platform.machine()}: guests are x86-64")
        return {}
    return {name: package for name, package in VM_PROGRAMS.items() if not shutil.which(name)}


def plugin() -> None:
    """Compile what counts instructions in guests, where there is QEMU. Without it the guest's clock counts them."""
    if shutil.which("qemu-system-x86_64"):
        command = [str(PYTHON), "-c", "from bench.vm import counting; counting.compiled()"]
        done = processes.run(command, _SECONDS, cwd=ROOT)
        if done.returncode:
            say(f"QEMU's plugin is not there: {(done.stderr.strip() or 'no reason').splitlines()[-1]}")


def main(argv: list[str]) -> int:
    """Do all of it; print one error and one hint where something is missing."""
    signals.catch()
    parser = argparse.ArgumentParser(prog="python3 -m bench.setup", description="Set this checkout up.")
    parser.add_argument("--dev", action="store_true", help="also what tests and checks need")
    parser.add_argument("--vm", action="store_true", help="also QEMU, though the running kernel has every interface")
    wanted = parser.parse_args(argv)
    try:
        if sys.version_info < (3, 11):
            version = platform.python_version()
            raise SetupError(f"Python is {version}, and 3.11 is needed", "make PYTHON=python3.12 ..., for example")
        install(build_tools())
        environment(wanted.dev)
        core()
        install(vm_tools(wanted.vm))
        plugin()
    except BenchError as error:
        return _failed(str(error), error.hint)
    except OSError as error:
        return _failed(str(error), "is this checkout yours to write to, and is the disk full?")
    except signals.Interrupted as error:
        signals.answered()
        return _failed(str(error), "run it again: it goes on", 128 + error.signal)
    return 0


def _failed(message: str, hint: str, status: int = 2) -> int:
    with suppress(OSError, ValueError):  # standard error is closed, or full
        print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
