# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel reads and writes for scenarios: by system calls, by pages that are pinned, by files."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial

from bench.measure.core import ffi, lib
from bench.measure.memory import Memory, Pages


class Accesses(Memory):
    """Every way in which the kernel accesses memory for the program."""

    def kernel_reads_into(self, pages: Pages, fd: int | None = None) -> None:
        """read(2), or readv(2) for several pages: the kernel writes a byte, or of a given file all, to each."""
        source = self._source(pages.count) if fd is None else fd
        parts = self._parts(pages, 1 if fd is None else pages.size)

        def read() -> None:
            if os.preadv(source, parts, 0) < sum(map(len, parts)):
                raise OSError(0, "only a part was read")

        self._kernel_writes("read", read, pages)

    @staticmethod
    def _parts(pages: Pages, size: int) -> list[memoryview]:
        """The first bytes of each page, untouched."""
        whole = memoryview(ffi.buffer(ffi.cast("uint8_t *", pages.address), pages.length))
        return [whole[i * pages.size :][:size] for i in range(pages.count)]

    def kernel_writes_from(self, pages: Pages, fd: int | None = None) -> None:
        """write(2), or writev(2) for several pages: the kernel reads a byte, or for a given file all, of each."""
        sink = self._sized(os.memfd_create("sink"), pages.count) if fd is None else fd
        parts = self._parts(pages, 1 if fd is None else pages.size)
        self._kernel_reads("write", lambda: self._whole(os.pwritev(sink, parts, 0), parts), pages)

    @staticmethod
    def _whole(done: int, parts: list[memoryview]) -> None:
        if done < sum(map(len, parts)):
            raise OSError(0, "only a part was written")

    def vm_read(self, pages: Pages) -> None:
        """process_vm_readv(2), by this process of itself: a byte of each page."""
        for page in pages:
            self._kernel_reads("process_vm_readv", partial(lib.stage_vm_read, page.address), page)

    def proc_mem_read(self, pages: Pages) -> None:
        """Read a byte of each page through /proc/self/mem, as a debugger does."""
        fd = os.open("/proc/self/mem", os.O_RDONLY)
        self._held.callback(os.close, fd)
        for page in pages:
            self._kernel_reads("a read of /proc/self/mem", partial(self._look, fd, page.address), page, errno.EIO)

    @staticmethod
    def _look(fd: int, address: int) -> None:
        os.pread(fd, 1, address)

    def vmsplice(self, pages: Pages) -> None:
        """Put pages into a pipe without a copy (vmsplice(2)), and read that."""
        self._kernel_reads("vmsplice", lambda: lib.stage_vmsplice(pages.address, pages.length), pages)

    def pwrite(self, fd: int, page: int) -> None:
        """write(2) a byte into a page of a file."""
        os.pwrite(fd, bytes([self._value + 1]), page * self.page_size)

    def pread(self, fd: int, page: int) -> None:
        """read(2) a byte of a page of a file."""
        os.pread(fd, 1, page * self.page_size)

    def vm_write(self, pages: Pages) -> None:
        """process_vm_writev(2), from this process to itself."""
        self._kernel_writes("process_vm_writev", lambda: lib.stage_vm_write(pages.address, self._value), pages)

    def proc_mem_write(self, pages: Pages) -> None:
        """Write through /proc/self/mem, as a debugger does."""
        fd = os.open("/proc/self/mem", os.O_RDWR)
        self._held.callback(os.close, fd)

        def write() -> None:
            os.pwrite(fd, b"\xff", pages.address)

        self._kernel_writes("a write to /proc/self/mem", write, pages, errno.EIO)  # what mem_rw() makes of EFAULT

    def pin(self, pages: Pages) -> None:
        """Pin pages for writing, as a buffer registered with io_uring."""
        self._held.callback(lib.stage_unpin)
        self._program("a pin for io_uring", lambda: lib.stage_pin(pages.address, pages.length))

    def read_into_pinned(self, pages: Pages) -> None:
        """Have the kernel write to pinned pages without the page table."""
        fd = self._source(pages.length)
        self._kernel_writes("io_uring", lambda: lib.stage_read_pinned(fd, pages.address, pages.length), pages)

    def _source(self, length: int) -> int:
        fd = os.memfd_create("source")
        self._held.callback(os.close, fd)
        os.write(fd, bytes([self._value + 1]) * length)
        return fd

    def _kernel_writes(self, what: str, call: Callable[[], int | None], pages: Pages, *meant: int) -> None:
        self._program(f"{what} into the tracked memory", call, *meant)
        self.changed(pages)
        self.accessed(pages)

    def _kernel_reads(self, what: str, call: Callable[[], int | None], pages: Pages, *meant: int) -> None:
        self._program(f"{what} from the tracked memory", call, *meant)
        self.accessed(pages)
