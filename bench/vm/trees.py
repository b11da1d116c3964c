# SPDX-License-Identifier: GPL-2.0-only
"""Kernel trees: what one was built of, and building a revision in the cache, without touching the tree."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bench import processes, reading
from bench.errors import BadInput, BuildFailed, PermissionDenied, ProgramFailed, Unsupported
from bench.files import replacing
from bench.plan import kconfig
from bench.plan.arches import ARCHES, USUAL, Arch
from bench.plan.records import Facts
from bench.vm import cache

IMAGE = ARCHES[USUAL].built  # of revisions: of other architectures nothing is built here
_GIT_SECONDS, _MAKE_SECONDS = 900.0, 6 * 3600.0
_DIGITS = 12  # of a commit, for people
_CHOICES = ("CC", "HOSTCC", "LLVM", "CROSS_COMPILE", "KCFLAGS", "KCPPFLAGS")  # from the environment to make
# Git keeps to files of ours: no hook, no monitor, no second file beside our index.
_OURS = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.sparseCheckout=false"),
    *("-c", "core.splitIndex=false", "-c", "core.untrackedCache=false"),
)


class Built(NamedTuple):
    """A revision that was built: the folder of bzImage, System.map and config, its commit and name for people."""

    folder: Path
    commit: str
    title: str


def image_of(tree: Path, arch: Arch = ARCHES[USUAL]) -> Path:
    """Return the image of a tree or build folder. Raises BadInput where there is none."""
    image = tree / arch.built
    if image.exists():
        return image
    if not any((tree / name).exists() for name in ("Kbuild", ".config")):
        hint = f"give {'an' if arch.image[0] in 'AEIOU' else 'a'} {arch.image}, or the folder it was built in"
        raise BadInput(f"{tree} is no kernel tree: it has no {arch.built}", hint)
    make = f"make -C {tree} -j{_cpus()} {arch.image}"
    apart = f"; or give {tree}@HEAD, which builds it apart" if arch.built == IMAGE else ""
    raise BadInput(f"{tree} was not built: it has no {arch.built}", f"{make}{apart}")


def commit_of(tree: Path, image: Path, echo: Callable[[str], None]) -> Facts:
    """Return the commit that a build folder is of, and whether its files were changed since; empty without git."""
    source = tree / "source" if (tree / "source").is_dir() else tree  # a build folder names its tree
    top = _git(source, "rev-parse", "--show-toplevel")
    if top is None or Path(top) != source.resolve():
        return {}
    commit = _git(source, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return {}
    changed = _git(source, "--no-optional-locks", *_OURS, "status", "--porcelain", "--untracked-files=no") != ""
    moved = Path(source, _git(source, "rev-parse", "--git-path", "logs/HEAD") or "")
    if moved.is_file() and moved.stat().st_mtime > image.stat().st_mtime:
        changed = True
        echo(f"{image} is older than {commit[:_DIGITS]} became the tree's HEAD: it may not be of that commit.")
    return {"kernel_commit": commit, "kernel_dirty": int(changed)}


def split(spec: str) -> tuple[Path, str] | None:
    """Return tree and revision of `TREE@REV`, None for what is no such thing."""
    for at in re.finditer("@", spec):
        if os.path.isdir(spec[: at.start()]):
            return Path(spec[: at.start()]), spec[at.end() :]
    return None


def config_of(tree: Path) -> str:
    """Return the configuration that a revision of a tree is built with, as far as it is chosen: the tree's own."""
    own = tree / ".config"
    return config_text(own) if own.is_file() else ""


def config_text(path: Path) -> str:
    """Return what a file with a configuration holds. Raises BadInput for one that is too large, or can't be read."""
    try:
        return reading.whole(path, kconfig.MOST, errors="replace")
    except BadInput as error:
        raise BadInput(f"{path}: {error}", "give the .config of the build") from None


def build(tree: Path, rev: str, echo: Callable[[str], None]) -> Built:
    """Build a revision in the cache, unless it was; with the tree's .config, else a default one and what we need.

    Neither the tree's files nor its repository are written to. Raises BadInput, Unsupported, BuildFailed.
    """
    if shutil.which("git") is None or shutil.which("make") is None:
        raise Unsupported("git and make are needed to build a kernel", "install them, or give an image")
    commit, common = _found(tree, rev)
    config = config_of(tree)
    room, name = _place(common, commit, config)
    kept = cache.folder(room) / name
    with cache.lock(room, echo) as held:
        if not (kept / "bzImage").exists():
            shutil.rmtree(kept, ignore_errors=True)  # of who was killed
            _Build(tree, commit, cache.folder(room), held, echo).run(config, kept)
    return Built(kept, commit, f"{tree.resolve().name} at {commit[:_DIGITS]}")


def was_built(tree: Path, rev: str) -> bool:
    """Whether build() would find that revision built; nothing is made."""
    commit, common = _found(tree, rev)
    return cache.place().joinpath(*_place(common, commit, config_of(tree)), "bzImage").exists()


def _found(tree: Path, rev: str) -> tuple[str, str]:
    """Return the commit of a revision, and where the repository is. Raises BadInput."""
    commit = _git(tree, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}") if rev else None
    common = _git(tree, "rev-parse", "--path-format=absolute", "--git-common-dir")
    if commit is None or common is None:
        raise BadInput(f"{tree} has no commit {rev!r}", f"git -C {tree} log --oneline --all names those there are")
    return commit, common


def _place(common: str, commit: str, config: str) -> tuple[str, str]:
    """Return in which folder of the cache a repository's builds are, and in which of that what is built so."""
    made = [commit, config, kconfig.fragment(kconfig.of_interfaces([])), _compiler()]
    made += [os.environ.get(name, "") for name in _CHOICES]
    return f"builds/{_digest(common)}", f"{commit[:_DIGITS]}-{_digest(*made)}"


class _Build(NamedTuple):
    """A build under way: `folder` keeps source, objects and what make said; `held` is the lock on it, open."""

    tree: Path
    commit: str
    folder: Path
    held: int
    echo: Callable[[str], None]

    def run(self, config: str, kept: Path) -> None:
        """Check the revision out, configure and build it, and keep what came of it in a folder of its own."""
        subject = _git(self.tree, "show", "--no-patch", "--format=%s", self.commit) or ""
        log = self.folder / "make.log"
        self.echo(f"building {self.tree.resolve().name} at {self.commit[:_DIGITS]} ({subject}); make writes to {log}")
        objects = self.folder / "objects"
        objects.mkdir(exist_ok=True)
        log.unlink(missing_ok=True)
        self._check_out()
        own = objects / ".config"
        if config:
            own.write_text(config)
        else:
            self._run_make("x86_64_defconfig")
            with own.open("a") as file:
                file.write(kconfig.fragment(kconfig.of_interfaces([])))
        self._run_make("olddefconfig")
        if lacks := kconfig.lacking(own.read_text(errors="replace"), kconfig.BOOT):
            raise BadInput(
                f"{self.tree} at {self.commit[:_DIGITS]} could not be booted here: it lacks {', '.join(lacks)}",
                f"./bench.py config prints what {self.tree}/.config needs",
            )
        self._run_make("bzImage")
        kept.mkdir(exist_ok=True)
        # The image last, and newer than its map: where it is, the rest is.
        for name, built in (("config", own), ("System.map", objects / "System.map"), ("bzImage", objects / IMAGE)):
            if not built.is_file():
                raise BuildFailed(f"make built no {name}", f"see {log}")
            with built.open("rb") as source, replacing(kept / name) as file:
                shutil.copyfileobj(source, file)

    def _check_out(self) -> None:
        """Make our copy of the source that of the commit: what doesn't differ keeps its time, so make builds little."""
        source, index = self.folder / "source", self.folder / "index"
        source.mkdir(exist_ok=True)
        index.with_name("index.lock").unlink(missing_ok=True)  # of a git that was killed: we hold the lock
        folder = _git(self.tree, "rev-parse", "--absolute-git-dir")
        words = [f"--git-dir={folder}", f"--work-tree={source}", *_OURS, "read-tree", "--reset", "-u", self.commit]
        if _git(source, *words, GIT_INDEX_FILE=str(index)) is None:
            raise PermissionDenied(
                f"git can't check {self.commit[:_DIGITS]} out into {source}", "is there space? see: git fsck"
            )

    def _run_make(self, target: str) -> None:
        """Run make. Raises BuildFailed with what it said."""
        words = ["make", "-C", str(self.folder / "source"), f"O={self.folder / 'objects'}", "ARCH=x86_64"]
        words += [f"{name}={os.environ[name]}" for name in _CHOICES if os.environ.get(name)]
        words += [f"LOCALVERSION=-g{self.commit[:_DIGITS]}", f"-j{_cpus()}", target]
        date = _git(self.tree, "show", "--no-patch", "--format=%cI", self.commit) or ""
        always = {"TIMESTAMP": date, "USER": "bench", "HOST": "bench", "VERSION": "1"}  # one commit, one image
        environment = processes.environment("MAKE", "KBUILD_", "KCONFIG_", LC_ALL="C")
        environment |= {f"KBUILD_BUILD_{name}": value for name, value in always.items()}
        log = self.folder / "make.log"
        with log.open("ab") as said:
            try:
                made = processes.finish(
                    words,
                    _MAKE_SECONDS,
                    tree=True,
                    stdout=said,
                    stderr=processes.STDOUT,
                    env=environment,
                    pass_fds=[self.held],  # a make that outlives us keeps others out
                )
            except ProgramFailed as error:
                raise BuildFailed(f"{target}: {error}", f"see {log}") from None
        if made.returncode:
            raise BuildFailed(
                f"{self.tree.resolve().name} at {self.commit[:_DIGITS]} does not build: {_complaint(log)}", f"see {log}"
            )


def _complaint(log: Path) -> str:
    """Return the first error that make wrote, else its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    for sign in (r"\berror:", r"undefined reference|\*\*\*"):
        for line in lines:
            if re.search(sign, line):
                return line
    return lines[-1] if lines else "it says nothing"


def _git(tree: Path, *words: str, **more: str) -> str | None:
    """Return what git says in a tree, None where it fails."""
    try:
        done = processes.run(["git", *words], _GIT_SECONDS, cwd=tree, env=processes.environment(**more))
    except ProgramFailed:
        return None
    return None if done.returncode else done.stdout.strip()


def _compiler() -> str:
    """Return which compiler make will take: another one makes another kernel."""
    prefix = os.environ.get("CROSS_COMPILE", "")
    command = os.environ.get("CC") or ("clang" if os.environ.get("LLVM") else f"{prefix}gcc")
    with suppress(ProgramFailed):
        return processes.run([*command.split(), "--version"], 30.0).stdout.partition("\n")[0]
    return command


def _digest(*texts: str) -> str:
    return hashlib.sha256(repr(texts).encode()).hexdigest()[:_DIGITS]


def _cpus() -> int:
    return len(os.sched_getaffinity(0))
