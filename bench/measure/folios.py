# SPDX-License-Identifier: GPL-2.0-only
"""Which folios memory consists of: verified where a kind promises an order, and looked at between intervals."""

from __future__ import annotations

import os
from typing import Any, Protocol

from bench.errors import Unsupported
from bench.measure.native import Resource, check, ffi, lib
from bench.plan.kinds import HUGE_PAGES, Kind, Layout
from bench.plan.records import ABSENT

THP = "/sys/kernel/mm/transparent_hugepage"


class Mapped(Protocol):
    """A mapping, as core.py has it."""

    struct: Any
    pages: int
    layout: Layout

    def process_id(self) -> int:
        """The id of the process whose memory it is."""

    def vmas(self) -> int:
        """How many VMAs it consists of."""


class Folios(Resource):
    """A look at a mapping's folios, and those that follow it. Raises OSError where they can't be seen."""

    def __init__(self, mapping: Mapped) -> None:
        self.struct = ffi.new("struct folios *")
        self._mapping = mapping
        try:
            check(lib.folios_open(self.struct, mapping.process_id()))
            check(lib.folios_look(self.struct, mapping.struct))
        except OSError:
            self.close()
            raise

    def follow(self) -> None:
        """Look again after each interval of this mapping."""
        self._mapping.struct.folios = self.struct

    @property
    def before(self) -> dict[str, int]:
        """Pages by the order of their folio, as of the first look; ABSENT: not there."""
        return _named(self.struct.before)

    @property
    def after(self) -> dict[str, int]:
        """The same as of the last look, if there were two."""
        return _named(self.struct.after)

    @property
    def changed(self) -> int:
        """How many looks found something other than the first one."""
        return int(self.struct.changed)

    def close(self) -> None:
        """Close the descriptors."""
        self._mapping.struct.folios = ffi.NULL
        lib.folios_close(self.struct)


def _named(orders: object) -> dict[str, int]:
    *counts, absent = list(orders)  # type: ignore[call-overload]  # an array of the core
    found = {str(order): int(pages) for order, pages in enumerate(counts)} | {ABSENT: int(absent)}
    return {order: pages for order, pages in found.items() if pages}


def setting(kind: Kind) -> str:
    """The file that allows folios of a kind's size; for huge pages the one of all sizes."""
    return f"{THP}/enabled" if kind.folio == HUGE_PAGES else f"{_size(kind)}/enabled"


def _size(kind: Kind) -> str:
    return f"{THP}/hugepages-{4 * kind.folio}kB"


def given(kind: Kind) -> int:
    """Return how many folios of that size page faults were ever given on this machine; 0 where nobody counts."""
    try:
        with open(f"{_size(kind)}/stats/anon_fault_alloc") as counter:
            return int(counter.read())
    except OSError:
        return 0


def verify(mapping: Mapped, kind: Kind, before: int) -> None:
    """Raise Unsupported unless a mapping consists of the folios its kind promises.

    before: given() before it was made, which is all there is to go by where page frame numbers are hidden.
    """
    try:
        with Folios(mapping) as seen:
            pages = seen.before.get(str(kind.order), 0)
    except OSError as error:
        if kind.folio == HUGE_PAGES:
            hidden = f"nobody can say whether huge pages are whole: {error.filename}: {error.strerror}"
            raise Unsupported(hidden, "run it as root") from None
        pages = min(mapping.pages, (given(kind) - before) * kind.folio)
    if pages == mapping.pages:
        if (vmas := mapping.vmas()) != mapping.layout.vmas:
            raise Unsupported(f"making folios of {4 * kind.folio} KiB has cut the mapping into {vmas} VMAs")
        return
    if not os.path.exists(setting(kind)):
        raise Unsupported(f"the kernel has no folios of {4 * kind.folio} KiB", "boot Linux 6.8 or later, with THP")
    raise Unsupported(
        f"the kernel gave folios of {4 * kind.folio} KiB for {pages} of {mapping.pages} pages",
        f"free memory, or allow them, as root: echo madvise > {setting(kind)}",
    )
