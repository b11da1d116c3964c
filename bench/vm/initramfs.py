# SPDX-License-Identifier: GPL-2.0-only
"""Builds the guest's initramfs: a Python, its libraries, chosen packages, the project and the request.

The Python is the running one; in a guest of another architecture, one of Debian's (bench/vm/foreign.py).
"""

import hashlib
import importlib.util
import marshal
import os
import platform
import re
import shutil
import stat
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache as cache_results
from importlib import metadata
from pathlib import Path, PurePath
from typing import IO

from bench import processes
from bench.errors import Unsupported
from bench.files import replacing
from bench.plan.arches import ARCHES, USUAL, Arch
from bench.vm import cache, cpio, foreign
from bench.vm.init import PACKAGES, PROJECT, REQUEST

# What measures. Who reads results stays at home: it would have to be compiled, sent and kept in memory.
_ALWAYS = tuple(map(Path, ("bench/__init__.py", "bench/doing.py", "bench/errors.py", "bench/harmless.py",
                           "bench/signals.py", "bench/core", "bench/plan", "bench/measure",
                           "bench/vm/__init__.py", "bench/vm/init.py", "workloads")))  # fmt: skip
_SOURCE = Path(__file__).resolve().parents[2]
_INTERPRETER = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
# Never asked for in a guest, and each costs the kernel time to unpack and the guest memory.
_USELESS = re.compile(
    r"(test|tests|idlelib|tkinter|ensurepip|lib2to3|turtledemo|distutils|pydoc_data|venv|config-\d.*|site-packages"
    r"|dist-packages|__pycache__|asyncio|xmlrpc|wsgiref|msilib|curses|dbm|sqlite3|turtle\.py"
    # extension modules: their own big libraries (OpenSSL, SQLite, ncurses ...), or tests
    r"|_ssl|_hashlib|_tkinter|_sqlite3|_curses|_curses_panel|readline|_dbm|_gdbm|_lzma|_bz2|_uuid|nis|ossaudiodev"
    r"|_crypt|spwd|audioop|_codecs_..|_codecs_.*|_multibytecodec|_test.*|_ctypes_test|_xx.*|xx.*)(\..*)?"
)
# pygments in pytest's output colours Python and diffs only
_USELESS_LEXER = re.compile(
    r"pygments/(lexers/(?!(__init__|_mapping|python|diff)\.)|styles/(?!(__init__|_mapping|default)\.)).*"
)
_SECONDS = 120.0  # for ldd or strip
_KEPT_SECONDS = 7 * 24 * 3600
_LEFT_HOME = {".c", ".h", ".o", ".pyi", ".exe"}


def build(
    target: IO[bytes],
    argv: Sequence[str],
    *,
    packages: Sequence[str],
    trees: Sequence[Path] = (),
    arch: Arch = ARCHES[USUAL],
    echo: Callable[[str], None] = lambda said: None,
) -> None:
    """Write to `target` an initramfs for an architecture that runs Python with `argv`.

    `packages` are installed distributions by name, `trees` files or folders of the project, relative to its top, that
    the guest has beside `bench` and `workloads`. The part that rarely changes is kept in the cache.
    """
    python = foreign.python(arch, echo) if arch.machine != platform.machine() else None
    entries: dict[str, cpio.Entry] = {}
    for tree in [*_ALWAYS, *trees]:
        entries.update(_project(tree, python))
    if python and packages:  # who has none asks the kernel alone
        name, core = foreign.core(python, echo)
        entries[f"{PROJECT}/bench/core/{name}"] = cpio.file(core.read_bytes())
    entries[REQUEST] = cpio.file(b"\0".join(os.fsencode(argument) for argument in argv))
    entries["/init"] = _init(python.interpreter if python else _INTERPRETER, arch)
    with _base(sorted(packages), python).open("rb") as base:
        shutil.copyfileobj(base, target)
    target.write(cpio.pack(entries))  # the kernel unpacks concatenated archives one after the other
    target.flush()


def _init(interpreter: str, arch: Arch) -> cpio.Entry:
    # -S: no site module; -E: no environment; -B: no .pyc written. The kernel passes a single argument.
    lines = (
        f"#!{interpreter} -SEB",
        "import sys",
        f"sys.path.append('{PROJECT}')",
        "from bench.vm import init",
        f"init.main({arch.port!r})",
    )
    return cpio.file("\n".join(lines).encode(), executable=True)


def _base(packages: list[str], python: foreign.Python | None) -> Path:
    """Return the archive of Python and `packages`, from the cache where nothing changed."""
    parts = [*_parts(packages, python)]
    compiles = python is None or python.same
    made_of = [sys.version, _INTERPRETER, Path(__file__).stat().st_mtime_ns, *(python.made_of if python else ())]
    key = hashlib.sha256(repr(made_of).encode())
    for path, source in parts:
        status = source.stat()
        key.update(repr([path, status.st_mtime_ns, status.st_size]).encode())
    archive = cache.folder("initramfs") / f"base-{key.hexdigest()[:16]}.cpio"
    with cache.lock("initramfs"):
        if cache.usable(archive, cpio.whole):
            archive.touch()
        else:
            for old in archive.parent.glob("base-*"):
                if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
                    old.unlink()
            entries = dict(_compiled(path, source) if compiles else _whole(path, source) for path, source in parts)
            if python:
                entries.update(_foreign_binaries(python))
            else:
                entries.update(_binaries([source for _, source in parts if ".so" in source.suffixes]))
            entries.update(_nodes())
            with replacing(archive) as file:
                file.write(cpio.pack(entries))
    return archive


def _parts(packages: list[str], python: foreign.Python | None) -> Iterator[tuple[str, Path]]:
    """Yield what a Python and packages consist of: the path in the guest, and the file."""
    if python is None:
        stdlib = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
        yield from _stdlib(stdlib, str(stdlib))
    else:
        yield from _stdlib(python.root / python.stdlib[1:], python.stdlib)
        if packages:
            yield from ((f"{PACKAGES}/{path}", source) for path, source in python.packages())
    for package in packages:
        if python is None or package not in foreign.PACKAGES:
            yield from _package(package)


def _nodes() -> dict[str, cpio.Entry]:
    """PID 1's standard streams come from /dev/console, before anything is mounted."""
    folders = {f"/{name}": cpio.Entry(stat.S_IFDIR | 0o755) for name in ("proc", "sys", "tmp", "root")}
    return folders | {"/dev/console": cpio.Entry(stat.S_IFCHR | 0o600, device=(5, 1))}


def _stdlib(folder: Path, at: str) -> Iterator[tuple[str, Path]]:
    """Yield the modules in a folder by where the guest has them, below `at`.

    Debian's sitecustomize.py is a link into /etc: of a Python that was unpacked it leads nowhere.
    """
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _USELESS.fullmatch(name))
        for name in sorted(names):
            source = Path(where, name)
            if name.endswith((".py", ".so")) and not _USELESS.fullmatch(name) and source.is_file():
                yield f"{at}{where.removeprefix(str(folder))}/{name}", source


def _package(name: str) -> Iterator[tuple[str, Path]]:
    try:
        listed = metadata.files(name)
    except metadata.PackageNotFoundError as error:
        raise Unsupported(f"{name} is not installed, so no guest can have it", "run: make setup") from error
    files = _unlisted(name) if listed is None else ((file, Path(str(file.locate()))) for file in listed)
    for file, source in files:
        useless = file.suffix in {".pyc", *_LEFT_HOME} or ".." in file.parts or "tests" in file.parts
        if not useless and not _USELESS_LEXER.fullmatch(str(file)):
            yield f"{PACKAGES}/{file}", source


def _unlisted(name: str) -> Iterator[tuple[PurePath, Path]]:
    """Yield the files of a distribution that comes without a list of them, as Debian's packages do: its modules."""
    for top in (metadata.distribution(name).read_text("top_level.txt") or name).split():
        spec = importlib.util.find_spec(top)
        if spec and spec.submodule_search_locations:
            folder = Path(next(iter(spec.submodule_search_locations)))
            yield from ((path.relative_to(folder.parent), path) for path in folder.rglob("*") if path.is_file())
        elif spec and spec.origin:
            yield PurePath(Path(spec.origin).name), Path(spec.origin)


def _compiled(path: str, source: Path) -> tuple[str, cpio.Entry]:
    """Turn a module into its bytecode alone: the guest neither compiles nor looks for a newer source."""
    if source.suffix == ".py":
        return f"{path}c", cpio.file(_bytecode(path, source.read_bytes()))
    return path, cpio.file(_stripped(source) if source.suffix == ".so" else source.read_bytes())


def _whole(path: str, source: Path) -> tuple[str, cpio.Entry]:
    """A module as it is: the guest compiles it."""
    return path, cpio.file(source.read_bytes())


@cache_results  # boots of one run have the same sources
def _bytecode(path: str, source: bytes) -> bytes:
    code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    # PEP 552: flag 1 is a hash that is never checked
    return importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8) + marshal.dumps(code)


def _project(tree: Path, python: foreign.Python | None) -> Iterator[tuple[str, cpio.Entry]]:
    """Yield the project's files; sources stay, since pytest and tracebacks read them. Ours are no foreign binaries."""
    top = _SOURCE / tree
    for source in [top] if top.is_file() else sorted(top.rglob("*")):
        relative = source.relative_to(_SOURCE)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
        if hidden or not source.is_file() or source.suffix in _LEFT_HOME:
            continue
        if python and source.suffix == ".so":
            continue
        path = f"{PROJECT}/{relative}"
        content = source.read_bytes()
        yield path, cpio.file(content)
        if source.suffix == ".py" and (python is None or python.same):
            folder, _, name = path.rpartition("/")
            compiled = f"{folder}/__pycache__/{name[:-3]}.{sys.implementation.cache_tag}.pyc"
            yield compiled, cpio.file(_bytecode(path, content))


def _binaries(modules: list[Path]) -> Iterator[tuple[str, cpio.Entry]]:
    """Yield the interpreter and every shared library that it and `modules` need."""
    listing = processes.run(["ldd", _INTERPRETER, *map(str, modules)], _SECONDS).stdout
    found = dict(re.findall(r"^\s(\S+) => (/\S+)", listing, re.MULTILINE))
    loader = re.search(r"^\s(/\S+/ld-\S+) ", listing, re.MULTILINE)
    if loader is None or "libc.so.6" not in found:
        raise Unsupported("can't tell which libraries this Python needs (ldd)", "use a Python linked against glibc")
    # The guest has no ld.so.cache: beside libc every library is found without one.
    folder = os.path.dirname(found["libc.so.6"])
    yield _INTERPRETER, cpio.file(_stripped(Path(_INTERPRETER)), executable=True)
    yield loader[1], cpio.file(Path(loader[1]).read_bytes(), executable=True)
    for name, path in found.items():
        yield f"{folder}/{name}", cpio.file(_stripped(Path(path)), executable=True)


def _foreign_binaries(python: foreign.Python) -> Iterator[tuple[str, cpio.Entry]]:
    """Yield the interpreter and its libraries, which have no debugging symbols."""
    yield python.interpreter, cpio.file((python.root / python.interpreter[1:]).read_bytes(), executable=True)
    for path, source in python.libraries():
        yield path, cpio.file(source.read_bytes(), executable=True)


def _stripped(binary: Path) -> bytes:
    """Return the file without debugging symbols, which can be most of it, where binutils can do that."""
    if shutil.which("strip"):
        with tempfile.TemporaryDirectory(dir=cache.folder("initramfs"), prefix=".strip-") as folder:
            made = Path(folder, "stripped")
            done = processes.run(["strip", "--strip-unneeded", "-o", str(made), str(binary)], _SECONDS)
            if done.returncode == 0:
                return made.read_bytes()
    return binary.read_bytes()
