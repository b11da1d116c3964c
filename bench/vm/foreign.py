# SPDX-License-Identifier: GPL-2.0-only
"""Python of another architecture, for its guests: out of Debian's packages, and our core cross-compiled for it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from bench import processes
from bench.errors import Unsupported
from bench.plan.arches import Arch
from bench.vm import apt, cache

# What a Debian package has of an installed one that is not Python alone.
PACKAGES = {"cffi": "python3-cffi-backend", "psutil": "python3-psutil"}
# A Python is several packages; its libraries, and their own.
_PYTHON = ("python{}-minimal", "libpython{}-minimal", "libpython{}-stdlib")
_LIBRARIES = ("libc6", "libgcc-s1", "libexpat1", "libffi8", "zlib1g")
_HEADERS = ("libpython{}-dev",)
_VERSION = "python3-minimal"  # whose version says which Python a suite has
KEPT = "for-"  # begins the name of a folder; then come this machine's version, and that of the Python
_SECONDS = 300.0
_CORE = Path(__file__).resolve().parents[1] / "core"


class Python(NamedTuple):
    """A Python that was unpacked: the folder it is in, its version such as 3.11, and what apt called the packages."""

    root: Path
    version: str
    made_of: tuple[str, ...]
    arch: Arch

    @property
    def same(self) -> bool:
        """Whether this machine's Python compiles for it: bytecode is that of one version."""
        return self.version == _ours()

    @property
    def interpreter(self) -> str:
        """Where it is in a guest."""
        return f"/usr/bin/python{self.version}"

    @property
    def stdlib(self) -> str:
        """Where its modules are in a guest."""
        return f"/usr/lib/python{self.version}"

    def packages(self) -> Iterator[tuple[str, Path]]:
        """Yield the modules of PACKAGES, by their names below a folder of packages."""
        folder = self.root / "usr/lib/python3/dist-packages"
        extension = re.compile(rf".*\.cpython-{self.version.replace('.', '')}-.*\.so|.*\.abi3\.so|.*\.py")
        for path in sorted(folder.rglob("*")):
            if path.is_file() and extension.fullmatch(path.name) and "tests" not in path.parts:
                yield str(path.relative_to(folder)), path

    def libraries(self) -> Iterator[tuple[str, Path]]:
        """Yield the loader and the shared libraries, by the names that programs know them by."""
        for name, path in sorted(_shared(self.root).items()):
            where = "/lib" if name.startswith("ld-linux") else f"/usr/lib/{self.arch.triplet}"
            yield f"{where}/{name}", path


def need(arch: Arch) -> None:
    """Raise Unsupported where there is neither a core for an architecture nor what compiles it. Nothing is fetched."""
    if not arch.path:
        return
    if importlib.util.find_spec("cffi") is None:
        raise Unsupported("cffi is not installed, which the core is compiled with", "run: make setup")
    kept = _kept(arch)
    if shutil.which(_gcc(arch)) is None and not (kept and _made(_known(kept[-1], arch)).is_file()):
        raise Unsupported(
            f"no {_gcc(arch)} on this machine to compile the core for {arch.debian} guests with",
            f"install {arch.compiler}",
        )


def python(arch: Arch, echo: Callable[[str], None]) -> Python:
    """Return a Python for guests of an architecture, fetched if need be. Raises Unsupported.

    That of this machine's version where Debian has it: modules are compiled for it here. Else the newest, whose
    modules the guest compiles.
    """
    place = f"python-{arch.debian}"
    with cache.lock(place, echo):
        kept = _kept(arch)
        return _known(kept[-1] if kept else _fetched(arch, place, echo), arch)


def _kept(arch: Arch) -> list[Path]:
    """Return the folders of those that were fetched for this machine's Python."""
    return sorted((cache.place() / f"python-{arch.debian}").glob(f"{KEPT}{_ours()}-*"))


def _known(folder: Path, arch: Arch) -> Python:
    return Python(folder, folder.name.split("-")[2], tuple((folder / "made-of").read_text().split()), arch)


def _fetched(arch: Arch, place: str, echo: Callable[[str], None]) -> Path:
    """Fetch and unpack the packages into a folder of the cache, whose lock is held."""
    apt.refresh(echo, arch.debian)
    suite, version = _suite(arch)
    names = [name.format(version) for name in (*_PYTHON, *_LIBRARIES, *PACKAGES.values(), *_HEADERS)]
    found = {
        name: one for name, one, where in apt.packages(re.compile("|".join(map(re.escape, names))), arch.debian)
        if where == suite
    }  # fmt: skip
    if missing := set(names) - set(found):
        raise Unsupported(f"Debian's {suite} has no {', '.join(sorted(missing))} for {arch.debian}")
    echo(f"downloading Python {version} for {arch.debian} ({suite}): {len(names)} packages")
    made_of = [f"{name}={found[name]}" for name in names]
    folder = cache.folder(place) / f".new-{os.getpid()}"
    folder.mkdir()
    for one in made_of:
        package = apt.download(one, folder, arch.debian)
        done = processes.run(["dpkg-deb", "-x", str(package), str(folder)], _SECONDS)
        if done.returncode:
            raise Unsupported(f"{package.name} can't be unpacked: {done.stderr.strip()[-200:]}", "is there space?")
        package.unlink()
    for useless in ("usr/share", f"usr/lib/python{version}/config-{version}-{arch.triplet}"):
        shutil.rmtree(folder / useless, ignore_errors=True)
    (folder / "made-of").write_text("\n".join(made_of))
    digest = hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]
    return folder.rename(folder.with_name(f"{KEPT}{_ours()}-{version}-{digest}"))


def _suite(arch: Arch) -> tuple[str, str]:
    """Return the suite to take packages from, and the version of its Python."""
    found: dict[str, str] = {}
    for _, package_version, suite in apt.packages(re.compile(re.escape(_VERSION)), arch.debian):
        found.setdefault(".".join(re.findall(r"\d+", package_version)[:2]), suite)
    if not found:
        raise Unsupported(f"the Debian mirror has no Python for {arch.debian}", "set BENCH_DEBIAN_MIRROR")
    version = _ours() if _ours() in found else max(found, key=lambda one: [int(part) for part in one.split(".")])
    return found[version], version


def _ours() -> str:
    return ".".join(map(str, sys.version_info[:2]))


def _shared(root: Path) -> dict[str, Path]:
    """Return the shared libraries of packages, by name: that of a link and that of a file are the same to a loader."""
    found: dict[str, Path] = {}
    for folder in (*root.glob("lib/*-linux-gnu*"), *root.glob("usr/lib/*-linux-gnu*")):
        for path in folder.iterdir():
            if re.fullmatch(r"(lib|ld-linux).*\.so\.[0-9.]+", path.name) and path.is_file():
                found[path.name] = path
    return found


def core(made_for: Python, echo: Callable[[str], None]) -> tuple[str, Path]:
    """Return the C core for a Python: its name in bench/core, and the file, compiled if need be. Raises Unsupported."""
    arch = made_for.arch
    need(arch)
    name = f"_core.cpython-{made_for.version.replace('.', '')}-{arch.triplet}.so"
    made = _made(made_for)
    with cache.lock(made.parent.name, echo):
        if not cache.usable(made, lambda found: found.startswith(b"\x7fELF")):
            echo(f"compiling the core for {arch.debian}")
            _compile(_gcc(arch), made_for, made)
    return name, made


def _made(made_for: Python) -> Path:
    """Return where the core for a Python is, or would be."""
    sources = sorted(path for path in _CORE.rglob("*.[ch]") if path.stem != "_core")
    digest = hashlib.sha256(repr([made_for.made_of, metadata.version("cffi")]).encode())
    for path in (*sources, _CORE / "build.py"):
        digest.update(path.read_bytes())
    return cache.place() / f"core-{made_for.arch.debian}" / f"{digest.hexdigest()[:16]}.so"


def _gcc(arch: Arch) -> str:
    return f"{arch.triplet}-gcc"


def _compile(compiler: str, made_for: Python, made: Path) -> None:
    include = made_for.root / "usr/include"
    half = made.with_name(f".{made.name}")
    words = [sys.executable, "-m", "bench.core.build", "--compiler", compiler, "--output", str(half)]
    for folder in (include / f"python{made_for.version}", include):  # pyconfig.h includes that of the architecture
        words += ["--include", str(folder)]
    done = processes.run(words, _SECONDS, cwd=_CORE.parents[1])
    if done.returncode:
        raise Unsupported(f"the core could not be compiled for {made_for.arch.debian}: {done.stderr.strip()[-400:]}")
    half.rename(made)
