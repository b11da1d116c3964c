# SPDX-License-Identifier: GPL-2.0-only
"""What the cache holds, what is missing in it for a kernel, and removing it. Nothing here makes a folder or fetches."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bench.plan.arches import ARCHES, USUAL, Arch
from bench.vm import cache, foreign, kernel, trees

# What its folders hold; of another name: made by another version.
HOLDS = {
    "kernels": "Debian's kernels",
    "apt": "Debian's package lists",
    "builds": "kernels built of a revision",
    "initramfs": "Python for guests",
    "plugin": "the plugin of QEMU that counts",
    "symbols": "where functions of kernels are",
    "kvm": "whether kernels run under KVM",
    **{
        f"{folder}{row.path if folder == 'kernels' else f'-{row.debian}'}": f"{what} for {row.name}"
        for row in ARCHES.values()
        for folder, what in (
            ("kernels", "Debian's kernels"),
            ("apt", "Debian's package lists"),
            ("python", "Debian's Python"),
            ("core", "the C core"),
        )
        if row.path
    },
}
# Bytes, about, of what is fetched or made where it is not there
KERNEL, LISTS, BUILD, INITRAMFS, PYTHON = 15 << 20, 100 << 20, 2 << 30, 25 << 20, 70 << 20


class Kept(NamedTuple):
    """A folder of the cache: what it holds, its bytes on disk and how many files; who has it locked keeps it."""

    path: Path
    what: str
    size: int
    files: int
    locked: bool


def kept() -> list[Kept]:
    """Return what the cache holds."""
    top = cache.place()
    found = []
    for path in sorted(top.iterdir()) if top.is_dir() else []:
        if path.is_dir() and not path.is_symlink():
            sizes = [one.lstat().st_blocks * 512 for one in _files(path)]
            what = HOLDS.get(path.name, "of another version")
            with _all_of(path) as mine:
                found.append(Kept(path, what, sum(sizes), len(sizes), not mine))
    return found


def remove() -> tuple[list[Kept], list[Kept], str]:
    """Remove what the cache holds; return what was removed, what was left since it is in use, and why nothing was.

    Raises OSError.
    """
    if not cache.place().is_dir():
        return [], [], ""
    lock = cache.place() / cache.LOCK
    lock.touch()
    with _alone(lock) as mine:
        if not mine:
            return [], kept(), "a run is going on"
        removed: list[Kept] = []
        left: list[Kept] = []
        for one in kept():
            with _all_of(one.path) as free:
                (removed if free else left).append(one._replace(locked=not free))
                if free:  # who needs it meanwhile makes another
                    shutil.rmtree(one.path.rename(one.path.with_name(f".{one.path.name}")))
        if not left:
            lock.unlink()
            with suppress(OSError):  # what is not ours stays
                cache.place().rmdir()
        return removed, left, ""


def missing(spec: str, arch: Arch = ARCHES[USUAL]) -> tuple[str, int]:
    """Return what finding a kernel would fetch or build, and about how many bytes that takes; empty and 0 if nothing.

    Raises BadInput for a revision that there is not, and for what can't be a version of Debian's.
    """
    if spec.startswith("debian:"):
        series = kernel.series(spec)
        names = [path.name for path in _glob(kernel.folder_of(arch), "vmlinuz-*")]
        if any(kernel.matches(name.removeprefix("vmlinuz-"), series) for name in names):
            return "", 0
        lists = 0 if _glob("apt/lists" if not arch.path else f"apt-{arch.debian}/lists", "*Packages*") else LISTS
        return f"{spec} would be fetched{f' for {arch.name}' if arch.path else ''}", KERNEL + lists
    if not Path(spec).exists() and (tree := trees.split(spec)) and not trees.was_built(*tree):
        return f"{spec} would be built", 0 if _glob("builds", "*/objects/vmlinux") else BUILD
    return "", 0


def missing_python(arch: Arch = ARCHES[USUAL]) -> dict[str, int]:
    """Return what has to be made or fetched for the guest's Python, with about how many bytes that takes."""
    if arch.path and not _glob(f"python-{arch.debian}", f"{foreign.KEPT}*"):
        return {f"Python for {arch.debian} would be fetched": PYTHON}
    return {} if _glob("initramfs", "base-*.cpio") else {"Python for guests would be packed": INITRAMFS}


def _glob(name: str, pattern: str) -> list[Path]:
    return list((cache.place() / name).glob(pattern))


def _files(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        yield from (Path(where, name) for name in names)


@contextmanager
def _all_of(folder: Path) -> Iterator[bool]:
    """Take the locks below a folder, and say whether no other process has one: it fetches or builds."""
    locks = [path for path in [folder / cache.LOCK, *folder.glob(f"*/{cache.LOCK}")] if path.is_file()]
    with ExitStack() as stack:
        yield all(stack.enter_context(_alone(path)) for path in locks)


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Lock a file, and say whether nobody else has, or has removed it meanwhile."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # opening a pipe would wait for who writes it
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = os.fstat(handle).st_nlink > 0
        except BlockingIOError:
            mine = False
        yield mine
    finally:
        os.close(handle)
