# SPDX-License-Identifier: GPL-2.0-only
"""What other processes and userfaultfd do to the memory of scenarios, and memory of special kinds."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress

from bench.errors import WorkerFailed
from bench.measure.areas import Areas
from bench.measure.core import check, die_with_parent, lib
from bench.measure.memory import Breaks, NotPossible, Pages

_FROM_OUTSIDE: dict[str, Callable[[int, int, int], int]] = {
    "process_vm_writev": lib.system_vm_write,
    "ptrace": lib.system_poke,
}


class Outsider:
    """Another process, forked before the memory is mapped, so that it shares none of its pages: writes from outside."""

    def __init__(self) -> None:
        asked, self._ask = os.pipe()
        self._said, say = os.pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if not self._pid:
            try:
                die_with_parent(parent)
                os.close(self._ask)
                while order := os.read(asked, 64):
                    how, address, value = order.split()
                    os.write(say, b"%d\n" % _FROM_OUTSIDE[how.decode()](parent, int(address), int(value)))
            finally:
                os._exit(0)
        os.close(asked)
        os.close(say)

    def ask(self, how: str, address: int, value: int) -> int:
        """Have it write to its parent, one of _FROM_OUTSIDE; return 0 or a negative errno."""
        os.write(self._ask, f"{how} {address} {value}".encode())
        if not (said := os.read(self._said, 16)):
            raise WorkerFailed("the process that writes from outside died", "the kernel's log may say why")
        return int(said)

    def close(self) -> None:
        """End it."""
        os.close(self._ask)
        os.close(self._said)
        os.waitpid(self._pid, 0)


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

    def poke_from_outside(self, outsider: Outsider, page: Pages) -> None:
        """A debugger stops this process and writes a word: ptrace(PTRACE_POKEDATA)."""
        self._from_outside(outsider, "ptrace", page)

    def _from_outside(self, outsider: Outsider, call: str, page: Pages) -> None:
        self._value = self._value % 250 + 1
        trouble = -outsider.ask(call, page.address, self._value)
        if trouble == errno.EPERM:
            raise NotPossible(f"{call} is not permitted", "run it as root, or with CAP_SYS_PTRACE")
        if trouble:
            raise Breaks(f"{call} of another process into the tracked memory fails: {os.strerror(trouble)}")
        self.changed(page)

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

    def uffd_copy(self, uffd: int, pages: Pages, *, protect: bool = False) -> None:
        """Fill missing pages (UFFDIO_COPY). protect: with UFFDIO_COPY_MODE_WP."""
        source = self.map(pages.count)
        self._filled("UFFDIO_COPY", lib.system_uffd_copy(uffd, pages.address, source.address, pages.length, protect))
        self.changed(pages)

    def uffd_zeropage(self, uffd: int, pages: Pages) -> None:
        """Fill missing pages with zeros (UFFDIO_ZEROPAGE), which they read as before."""
        self._filled("UFFDIO_ZEROPAGE", lib.system_uffd_zeropage(uffd, pages.address, pages.length))

    def uffd_move(self, uffd: int, pages: Pages, to: Pages) -> None:
        """Move pages to where some are missing (UFFDIO_MOVE): they are missing afterwards."""
        if lib.system_uffd_moves() != 1:
            raise NotPossible("the kernel has no UFFDIO_MOVE (Linux 6.8)")
        self._filled("UFFDIO_MOVE", lib.system_uffd_move(uffd, to.address, pages.address, pages.length))
        self.changed(pages)
        self.changed(to)

    def _filled(self, what: str, status: int) -> None:
        if status:
            raise Breaks(f"{what} into the tracked memory fails: {os.strerror(-status)}")
