# SPDX-License-Identifier: GPL-2.0-only
"""What `clean` does: shows and removes the cache, and what killed runs left. A result is never touched."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench import files
from bench.errors import BadInput, PermissionDenied
from bench.harmless import quoted
from bench.run import commands, folders
from bench.vm import cache, stock

DEAD_SECONDS = 3600.0  # so long nobody has a folder before measuring into it
_MIB = 1 << 20


def clean(*, dry_run: bool) -> None:
    """Remove the cache, half-written files of killed processes, and folders into which nothing was measured.

    dry_run: only say what there is. Raises BadInput where a run uses the cache, PermissionDenied where removing it is
    refused.
    """
    moved = folders.aside(commands.RESULTS)
    unmeasured = [path for path in folders.unmeasured(commands.RESULTS) if path not in moved]
    dead = [*_halves(commands.RESULTS), *filter(_old, unmeasured)]
    print(f"cache: {quoted(str(cache.place()))}")
    if dry_run:
        _print(stock.kept())
        for path in dead:
            print(f"dead: {quoted(str(path))}")
        for path in moved:
            print(f"dead: what {quoted(str(path))} held before --force")
        return
    try:
        for path in moved:
            with suppress(BadInput):  # it is being replaced
                folders.recover(path)
        for path in dead:
            _remove(path)
        removed, left, why = stock.remove()
    except OSError as error:
        raise PermissionDenied(
            f"{error.filename} can't be removed: {error.strerror}", "is it another user's, or read-only?"
        ) from None
    _print(removed)
    if why or left:
        names = ", ".join(str(one.path) for one in left) or str(cache.place())
        raise BadInput(
            f"{names} stays: {why or 'another process fetches or builds there'}", "wait for its end, and clean again"
        )


def _print(found: Sequence[stock.Kept]) -> None:
    for one in found:
        state = ", in use" if one.locked else ""
        print(f"  {quoted(one.path.name):10} {one.size / _MIB:8.1f} MiB  {one.what} ({one.files} files{state})")
    print(f"  {'together':10} {sum(one.size for one in found) / _MIB:8.1f} MiB")


def _halves(results: Path) -> list[Path]:
    """Return the files that a killed process had half-written beside a result's."""
    found = [*results.glob("*/.*"), *results.glob("*/*/.*")]
    return [path for path in found if folders.is_ours(path.name) and files.dead(path)]


def _old(path: Path) -> bool:
    """Whether nothing was done there for so long that nobody is about to."""
    return time.time() - path.stat().st_mtime > DEAD_SECONDS


def _remove(path: Path) -> None:
    """Remove a file, or a folder into which nothing was measured."""
    if path.is_dir():
        folders.clear(path)
    elif not files.remove_dead(path):
        return
    print(f"removed: {quoted(str(path))}")
