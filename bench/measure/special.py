# SPDX-License-Identifier: GPL-2.0-only
"""What other processes and userfaultfd do to the memory of scenarios, and memory of special kinds."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from bench.measure.areas import Areas
from bench.measure.core import check, lib
from bench.measure.memory import Breaks, Child, NotPossible, Pages

_CALLS = {"process_vm_writev": lib.system_vm_write, "ptrace": lib.system_poke, "process_vm_readv": lib.system_vm_read}


class Outsider(Child):
    """Another process, forked before the memory is mapped, so that it shares none of its pages: writes from outside."""

    def __init__(self) -> None:
        super().__init__(lambda call, *words: list(_CALLS.values())[call](*words))

    def touch(self, call: str, address: int, value: int) -> int:
        """Have it write to its parent, or read, by one of _CALLS; return 0 or a negative errno."""
        return self.ask(list(_CALLS).index(call), os.getpid(), address, value)


class Special(Areas):
    """Memory that others write, fill, move, hide or seal."""

    def _tracking_uffd(self) -> int:
        """The userfaultfd that tracks; -1 where none does."""
        return -1

    def outsider(self) -> Outsider:
        """Return another process that can write here. Call it before there is memory: what is forked is shared."""
        with suppress(OSError):  # without Yama nobody has to allow it
            check(lib.system_allow_tracing())
        made = Outsider()
        self._held.callback(made.close)
        return made

    def write_from_outside(self, outsider: Outsider, page: Pages) -> None:
        """Another process writes a byte: process_vm_writev(2)."""
        self._from_outside(outsider, "process_vm_writev", page)
        self.changed(page)

    def read_from_outside(self, outsider: Outsider, page: Pages) -> None:
        """Another process reads a byte: process_vm_readv(2)."""
        self._from_outside(outsider, "process_vm_readv", page)

    def poke_from_outside(self, outsider: Outsider, page: Pages) -> None:
        """A debugger stops this process and writes a word: ptrace(PTRACE_POKEDATA)."""
        self._from_outside(outsider, "ptrace", page)
        self.changed(page)

    def _from_outside(self, outsider: Outsider, call: str, page: Pages) -> None:
        self._value = self._value % 250 + 1
        trouble = -outsider.touch(call, page.address, self._value)
        if trouble == errno.EPERM:
            raise NotPossible(f"{call} is not permitted", "run it as root, or with CAP_SYS_PTRACE")
        if trouble:
            raise Breaks(f"{call} of another process into the tracked memory fails: {os.strerror(trouble)}")
        self.accessed(page)

    def secret(self, count: int) -> int:
        """Return memory that only its owner sees, as a file to map (memfd_secret(2))."""
        try:
            return self._sized(self._address(lib.system_memfd_secret()), count)
        except OSError as error:
            raise NotPossible(f"memfd_secret fails: {error.strerror}", "boot with secretmem.enable=1") from None

    def seal(self, pages: Pages) -> None:
        """Seal pages against munmap, mprotect and their like (mseal(2)). They stay until the process ends."""
        try:
            check(lib.system_mseal(pages.address, pages.length))
        except OSError as error:
            raise NotPossible(f"mseal fails: {error.strerror} (Linux 6.10)") from None

    def take_missing(self, pages: Pages) -> int:
        """Register pages that are missing with userfaultfd: with what tracks them, where that is one. Return it."""
        uffd = self._tracking_uffd()
        if uffd < 0:
            return self.take_missing_elsewhere(pages)
        check(lib.system_uffd_register(uffd, pages.address, pages.length, True))
        return uffd

    def take_missing_elsewhere(self, pages: Pages) -> int:
        """As take_missing, of memory that is not tracked: with a userfaultfd beside the tracking one."""
        uffd = self._address(lib.system_uffd())
        self._held.callback(os.close, uffd)
        check(lib.system_uffd_register(uffd, pages.address, pages.length, False))
        return uffd

    def protect_elsewhere(self, pages: Pages) -> None:
        """Register pages for write protection, too, with a userfaultfd beside the tracking one."""
        uffd = self._address(lib.system_uffd())
        self._held.callback(os.close, uffd)
        check(lib.system_uffd_register(uffd, pages.address, pages.length, True))

    def uffd_copy(self, uffd: int, pages: Pages, *, protect: bool = False) -> None:
        """Fill missing pages (UFFDIO_COPY). protect: with UFFDIO_COPY_MODE_WP."""
        source = self.map(pages.count)
        self._fill("UFFDIO_COPY", lib.system_uffd_copy, uffd, pages.address, source.address, pages.length, protect)
        self.changed(pages)

    def uffd_zeropage(self, uffd: int, pages: Pages) -> None:
        """Fill missing pages with zeros (UFFDIO_ZEROPAGE), which they read as before."""
        self._fill("UFFDIO_ZEROPAGE", lib.system_uffd_zeropage, uffd, pages.address, pages.length)

    def uffd_move(self, uffd: int, pages: Pages, to: Pages) -> None:
        """Move pages to where some are missing (UFFDIO_MOVE): they are missing afterwards."""
        if lib.system_uffd_moves() != 1:
            raise NotPossible("the kernel has no UFFDIO_MOVE (Linux 6.8)")
        self._fill("UFFDIO_MOVE", lib.system_uffd_move, uffd, to.address, pages.address, pages.length)
        self.changed(pages)
        self.changed(to)

    def _fill(self, what: str, call: Callable[..., int], *words: int) -> None:
        """What is there already, or is not writable, is the interface's doing: EEXIST, EINVAL."""
        self._program(f"{what} into the tracked memory", partial(call, *words), errno.EEXIST, errno.EINVAL)
