# SPDX-License-Identifier: GPL-2.0-only
"""What guests that play scenarios have besides: a disk to swap on, one with a file system, a second NUMA node.

The disks are NVMe: of what QEMU emulates, that is what Debian's cloud kernels have built in (CONFIG_BLK_DEV_NVME=y).
The kernel finds what it can: on one without NVMe or NUMA the scenarios about them are not possible.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bench import processes
from bench.errors import ProgramFailed

SWAP_BYTES, FILES_BYTES = 64 << 20, 32 << 20
NODE_MIB = 128  # of the second node, which has no CPU
# memfd_secret(2) has to be asked for before Linux 6.5 (b758fe6df50d). NUMA balancing is on where there are two nodes,
# and would unmap pages now and then: the scenario that is about it switches it on.
KERNEL_OPTIONS = "secretmem.enable=1 numa_balancing=disable"
_BLOCK = 4096  # of the file system: no larger than a page of any kernel
_SECONDS = 30.0  # for a file system to be made
_MKE2FS = ("mke2fs", "-q", "-F", "-t", "ext4", "-b", str(_BLOCK), "-O", "^has_journal")


@contextmanager
def disks(wanted: bool, page_size: int = 4096) -> Iterator[list[str]]:
    """Yield QEMU's arguments for both disks, which are nameless files here: namespace 1 is swap, 2 has the files.

    Where there is no mke2fs, the second is empty. Nothing where they are not wanted.
    """
    if not wanted:
        yield []
        return
    with tempfile.TemporaryFile() as swap, tempfile.TemporaryFile() as files:
        swap.truncate(SWAP_BYTES)
        swap.write(swap_header(SWAP_BYTES, page_size))
        swap.flush()
        files.truncate(FILES_BYTES)
        _make_file_system(files.fileno())
        words = ["-device", "nvme,id=disks,serial=scenarios"]
        for number, file in enumerate((swap, files), 1):
            drive = f"file=/dev/fd/{file.fileno()},format=raw,if=none,id=disk{number},file.locking=off,cache=unsafe"
            words += ["-drive", drive, "-device", f"nvme-ns,drive=disk{number},bus=disks,nsid={number}"]
        yield words


def nodes(memory_mib: int, cpus: int) -> list[str]:
    """Return QEMU's arguments for memory on two NUMA nodes; the CPUs are on the first."""
    words = ["-m", str(memory_mib + NODE_MIB)]
    for node, (mib, owned) in enumerate(((memory_mib, f",cpus=0-{cpus - 1}"), (NODE_MIB, ""))):
        words += ["-object", f"memory-backend-ram,id=node{node},size={mib}M"]
        words += ["-numa", f"node,nodeid={node},memdev=node{node}{owned}"]
    return words


def swap_header(size: int, page_size: int = 4096) -> bytes:
    """Return the first page of a swap device: union swap_header, version 1 (include/linux/swap.h)."""
    info = struct.pack("<III", 1, size // page_size - 1, 0)  # version, last page, bad pages
    return (bytes(1024) + info).ljust(page_size - 10, b"\0") + b"SWAPSPACE2"


def _make_file_system(disk: int) -> None:
    """mke2fs wants a name: /dev/fd is one."""
    if shutil.which(_MKE2FS[0]):
        with suppress(ProgramFailed):
            processes.run([*_MKE2FS, f"/dev/fd/{disk}"], _SECONDS, pass_fds=[disk])
