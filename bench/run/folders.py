# SPDX-License-Identifier: GPL-2.0-only
"""Folders of results: made for a run, replaced where that is asked for, and cleared where nothing was measured."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bench import place
from bench.errors import BadInput, BenchError, PermissionDenied
from bench.plan.records import Played, Timed
from bench.run.tell import note
from bench.signals import Interrupted, later
from bench.store import log

LETTER = "cover-letter.txt"
# The last three are of earlier versions.
HOLD_RESULTS = (*log.FILES, "suite.json", "suite.json.gz", "meaning.json")
PAGES = ("report.txt", "report.html", "compare.txt", "compare.csv", "functions.csv", "functions.html", LETTER)
DEEPEST = 1  # the results of a matrix lie one level below its comparison
LONGEST = 200  # bytes of a name: what is written beside a file while it grows has a longer one
_SHOWN = 3  # names in an error
_PLOT = re.compile(r"(\w+)\.(png|svg)")
_CONSOLE = re.compile(r"guest(-\d+)?\.log")
_ASIDE = re.compile(r"\.(.+)\.old")  # a result that is being replaced, see new()
_HALF = re.compile(r"\.(.+)\.[a-z0-9_]{8}")  # left by who was killed while writing a file


class Found(NamedTuple):
    """What is in a folder: files that a result has, folders of such files, and what is neither."""

    files: list[Path]
    folders: list[Path]
    foreign: list[Path]

    @property
    def logs(self) -> list[Path]:
        """The logs of a run or matrix."""
        return [path for path in self.files if path.name == log.FILE]

    @property
    def result(self) -> bool:
        """Whether it is a result, or a matrix of some."""
        return any(path.name in HOLD_RESULTS for path in self.files)

    @property
    def empty(self) -> bool:
        """Whether nothing was measured, or can be read there: consoles of guests that did not boot are no result."""
        rest = [path for path in self.files if not _CONSOLE.fullmatch(path.name) and not _HALF.fullmatch(path.name)]
        return not self.foreign and not any(path not in self.logs or _finished(path) for path in rest)


def is_ours(name: str) -> bool:
    """Whether a result may have a file of this name."""
    if half := _HALF.fullmatch(name):
        return is_ours(half[1])
    if plot := _PLOT.fullmatch(name):
        return (place.ROOT / "plots" / f"{plot[1]}.py").is_file()
    return name in (*HOLD_RESULTS, *PAGES) or bool(_CONSOLE.fullmatch(name))


def _refuse_name(name: str) -> None:
    """Raise BadInput for what can't be the name of a new result."""
    if (size := len(os.fsencode(name))) > LONGEST:
        raise BadInput(f"a name of {size} bytes: {name}", f"a result's has at most {LONGEST}")
    if _ASIDE.fullmatch(name):
        raise BadInput(f"{name} is the name of a result that is being replaced", "give another --name")
    if not name.isprintable():
        raise BadInput(f"{name!r} has characters that can't be shown", "give a word, such as --name patched")


def contents(folder: Path, depth: int = DEEPEST) -> Found:
    """Return what is in a folder and below it."""
    found = Found([], [], [])
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            found.foreign.append(path)
        elif path.is_dir() and depth:
            below = contents(path, depth - 1)
            for mine, some in zip(found, below, strict=True):
                mine.extend(some)
            found.folders.append(path)
        elif path.is_file() and is_ours(path.name):
            found.files.append(path)
        else:
            found.foreign.append(path)
    return found


def _others(folder: Path, found: Found) -> list[Path]:
    """Return the folders below one that are neither of its result nor of its matrix, but for those with nothing in."""
    own: set[str] = set()
    if not any(path.parent == folder for path in found.files if path.name in HOLD_RESULTS):
        labels = {path.parent.name: _labels(path) for path in found.files if path.name in log.FILES}
        matrices = {some for name, some in labels.items() if name in some}
        own = set(*matrices) if len(matrices) == 1 else own
    return [path for path in found.folders if path.name not in own and not contents(path, 0).empty]


def _labels(path: Path) -> tuple[str, ...]:
    """The kernels of the matrix that a log is of; none where it is of no matrix, or can't be read."""
    try:
        return log.plan(path).matrix
    except BadInput:
        return ()


def _listed(folder: Path, paths: Sequence[Path]) -> str:
    """Name what is in a folder, for an error."""
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(str(path.relative_to(folder)) for path in paths[:_SHOWN]) + more


def refuse_inside(folder: Path) -> None:
    """Raise BadInput for a folder in that of a result: who replaces the one would remove the other."""
    for parent in Path(os.path.abspath(folder)).parents:
        if any(os.path.isfile(parent / name) for name in log.FILES):
            raise BadInput(f"{folder} is inside of the result {parent}", "choose another --name")


def check(folder: Path, *, force: bool | None) -> None:
    """Raise BadInput where a run can't have this folder: nothing is changed. force: replace; None: there is no way."""
    _refuse_name(folder.name)
    refuse_inside(folder)
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise BadInput(f"{folder} exists, and is no folder", "choose another --name, or remove it yourself")
    found = contents(folder)
    others = _others(folder, found)
    hint = "choose another --name, or remove it first"
    if others:
        hint = "choose another --name"
    elif force is not None:
        hint = "choose another --name, go on with it: --resume, or replace it: --force"
    if found.foreign and force:
        names = _listed(folder, found.foreign)
        raise BadInput(f"{folder} holds what is of no result: {names}", "move it away, or choose another --name")
    if others and force:
        raise BadInput(
            f"{folder} holds more than one result or one matrix: {_listed(folder, others)}",
            "--force replaces one: move the others away, or choose another --name",
        )
    if force and not (found.result or found.empty):
        raise BadInput(f"{folder} is no result", "choose another --name, or remove it yourself")
    if not force and not found.empty:
        raise BadInput(f"{folder} exists", hint)
    with _locked(folder, found.logs):
        pass


@contextmanager
def new(*folders: Path, force: bool | None = None) -> Iterator[None]:
    """Make the folders of a run, the one around the others first, and remove again what nothing was measured into.

    What a killed run left in the first one, before it had measured anything, is removed. With `force` a whole result
    is put aside, and removed at the end; where nothing was measured by then it is put back. Raises BadInput where a
    folder can't be had (check()), and PermissionDenied where making it is refused.
    """
    recover(folders[0])
    check(folders[0], force=force)
    with ExitStack() as stack:
        made: list[Path] = []
        stack.callback(_remove, made)
        try:
            if folders[0].exists():
                _replace(folders[0], stack)
            for folder in folders:
                made += reversed([path for path in (folder, *folder.parents) if not path.exists()])
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PermissionDenied(
                f"{error.filename or folders[0]} can't be made or replaced: {error.strerror}",
                "give --name a path you may write to, such as --name /tmp/first",
            ) from None
        try:
            yield
        except Interrupted as error:
            _forget(folders[0])
            if _aside(folders[0]).is_dir() and bare(folders[0]):
                error.hint = f"nothing was measured, and {folders[0]} is what it was"
            raise


def _replace(folder: Path, stack: ExitStack) -> None:
    """Put a result aside until the stack's end, or remove what measured nothing. Raises OSError."""
    found = contents(folder)
    if found.empty:
        _clear(folder, "replaced")
        return
    stack.enter_context(_locked(folder, [folder, *found.logs]))  # who is locked out knows that it has an owner
    with later():
        folder.rename(_aside(folder))
        stack.callback(_settle, folder)


def _aside(folder: Path) -> Path:
    """Where a result lies while another one is measured into its folder."""
    return folder.parent / f".{folder.name}.old"


def bare(folder: Path) -> bool:
    """Whether nothing was measured into a folder, or it was taken away."""
    return not folder.is_dir() or contents(folder).empty


def recover(folder: Path) -> None:
    """Put back, or remove, the result that a killed run had put aside. Raises BadInput while that is being measured."""
    old = _aside(folder)
    with suppress(FileNotFoundError):  # its owner is ending
        if os.path.isdir(old) and not old.is_symlink():  # its name may be too long
            with _locked(folder, [old]):
                _settle(folder)


def _settle(folder: Path) -> None:
    """Remove the result that was put aside where its folder has a finished job; put it back where that has nothing."""
    old = _aside(folder)
    try:
        kept = contents(old)
        if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
            return
        new = contents(folder) if folder.is_dir() else Found([], [], [])
        if kept.foreign or not (new.empty or any(map(_finished, new.logs))):
            note(f"{old} is what {folder} held: it stays, since there is what is of no result.")
        elif not (kept.result and new.empty):
            _unlink(old, kept)
        else:
            if folder.is_dir():
                with _locked(folder, new.logs):
                    _unlink(folder, new)
            old.rename(folder)
            note(f"Nothing was measured into {folder}: the result that it held is back.")
    except FileNotFoundError:  # another process was faster
        return
    except OSError as error:
        note(f"{old} is what {folder} held: {error.strerror}.")


def aside(results: Path) -> list[Path]:
    """Return the folders whose results were put aside, and not yet put back or removed."""
    found = results.iterdir() if results.is_dir() else []
    return sorted(results / name[1] for path in found if (name := _ASIDE.fullmatch(path.name)) and path.is_dir())


def _forget(folder: Path) -> None:
    """Remove the files of a result where nothing was measured into it."""
    with suppress(OSError, BadInput):
        found = contents(folder)
        if not found.empty:
            return
        with _locked(folder, found.logs):
            for path in found.files:
                path.unlink()


def named(results: Path) -> list[str]:
    """Return the names of all results, those of the kernels of a matrix among them."""
    found = {
        str(path.parent.relative_to(results))
        for name in HOLD_RESULTS
        for pattern in (f"[!.]*/{name}", f"[!.]*/*/{name}")
        for path in results.glob(pattern)
    }
    return sorted(found)


@contextmanager
def resumable(folder: Path, command: str = "run") -> Iterator[None]:
    """Where somebody interrupts what is measured into a folder, say what there is and how it goes on."""
    try:
        yield
    except Interrupted as error:
        if error.hint:
            pass  # whoever raised it knows more
        elif folder.is_dir() and not (found := contents(folder)).empty:
            name = place.called(folder)
            own = folder / log.FILE in found.logs
            report = f"what was measured is kept: ./bench.py report {name}; " if own else ""
            error.hint = f"{report}it goes on with: ./bench.py {command} --resume {name}"
        else:
            error.hint = "nothing was measured"
        raise


def _remove(made: Sequence[Path]) -> None:
    for path in reversed(made):
        with suppress(OSError):  # not empty, or gone
            path.rmdir()


def below(folder: Path) -> list[Path]:
    """Return the results in the folders of one, as a matrix has them."""
    return sorted({path.parent for name in log.FILES for path in folder.glob(f"[!.]*/{name}")})


def _clear(folder: Path, becomes: str) -> None:
    """Remove what a run left that had measured nothing, and say so. Raises OSError."""
    found = contents(folder)
    if not found.files:
        return
    with _locked(folder, found.logs):
        _unlink(folder, found)
    note(f"{folder} held what a run left that had measured nothing: it is {becomes}.")


def _unlink(folder: Path, found: Found) -> None:
    """Remove a folder and what was found in it, the logs last: without them nobody knows what it was."""
    for path in [*(one for one in found.files if one not in found.logs), *found.logs]:
        path.unlink()
    for path in found.folders:
        path.rmdir()
    folder.rmdir()


@contextmanager
def _locked(folder: Path, logs: Sequence[Path]) -> Iterator[None]:
    """Keep who measures away from these logs. Raises BadInput where one is being measured."""
    with ExitStack() as stack:
        for path in logs:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BadInput(
                    f"{folder} is being measured by another process", "wait for its end, or choose another --name"
                ) from None
        yield


def _finished(path: Path) -> bool:
    """Whether a log has a finished job, or can't be read: then nobody can say that it hasn't."""
    try:
        return any(isinstance(one, Timed | Played) for one in log.read(path)[0])
    except BenchError:
        return True


def unmeasured(results: Path) -> list[Path]:
    """Return the folders of results that hold nothing, or what killed runs left, and that nobody measures."""
    found = []
    for folder in sorted(results.iterdir()) if results.is_dir() else []:
        if folder.is_dir() and not folder.is_symlink() and not _ASIDE.fullmatch(folder.name):
            with suppress(BadInput):
                check(folder, force=False)
                found.append(folder)
    return found


def clear(folder: Path) -> None:
    """Remove one of unmeasured(). Raises OSError, and BadInput where somebody measures into it by now."""
    check(folder, force=False)
    found = contents(folder)
    if found.files:
        _clear(folder, "removed")
    else:
        for path in [*found.folders, folder]:
            path.rmdir()
