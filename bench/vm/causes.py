# SPDX-License-Identifier: GPL-2.0-only
"""Why a guest most likely never came to its command: from what its console said, or did not say."""

from __future__ import annotations

import re
from collections.abc import Collection

from bench.plan import kconfig
from bench.plan.arches import ARCHES, USUAL, Arch

_SERIAL = ("TTY", "PRINTK")  # and the console's own
_PROGRAMS = ("64BIT", "BINFMT_ELF", "BINFMT_SCRIPT")
_PORT = ARCHES[USUAL].port_needs  # stands for those of any architecture
_BUILT = "its kernel was built without "
# What a console says, what that means, and the options that are missing then. The first that was said counts: it may
# be why others were. Of bench.vm.init are the words for what it can't mount or open.
_SAID: dict[str, tuple[str, tuple[str, ...]]] = {
    r"can't mount devtmpfs": (_BUILT, ("DEVTMPFS",)),
    r"can't mount proc": (_BUILT, ("PROC_FS",)),
    r"can't mount sysfs": (_BUILT, ("SYSFS",)),
    r"can't mount tmpfs": (_BUILT, ("SHMEM", "TMPFS")),
    r"no second serial port": ("it has one serial port: its kernel was built without ", _PORT),
    r"Initramfs unpacking failed|Out of memory|deadlocked on memory|not enough memory|Cannot allocate memory|"
    r"cannot set up guest memory|initrd is too large|MemoryError": ("it has too little memory: change --memory", ()),
    r"Unable to mount root fs|Cannot open root device|check access for rdinit=": (
        "it found no initramfs: it has too little memory, or its kernel was built without ",
        ("BLK_DEV_INITRD",),
    ),
    r"Failed to execute /init|No working init found|Requested init \S+ failed": (_BUILT, _PROGRAMS),
    r"This kernel requires|requires an? x86-64 CPU|features not present": ("its kernel is for another CPU", ()),
    r"System halted|crc error|data is corrupt|out of data|[Dd]ecompression": ("the kernel's file is damaged", ()),
    r"could not load kernel|invalid kernel header|linux kernel too old|error reading|not a valid|too small": (
        "QEMU can't load the kernel's file: it is damaged",
        (),
    ),
}  # fmt: skip
_PATTERNS = {pattern: re.compile(pattern) for pattern in _SAID}
_STAMP = re.compile(rb"\[ *\d+\.\d+\] ")


def named(line: str) -> str:
    """Return the name of the cause that a line of the console tells, empty where it tells none."""
    return next((name for name, pattern in _PATTERNS.items() if pattern.search(line)), "")


def likeliest(found: Collection[str], *, silent: bool, noise: bytes, arch: Arch = ARCHES[USUAL]) -> str:
    """Return the likeliest of the causes that were found, in words; empty where nothing tells.

    silent: whether the console said nothing at all; noise: what came from the port for results, and was no record.
    """
    why, options = next((cause for name, cause in _SAID.items() if name in found), ("", ()))
    if not why and _STAMP.search(noise):
        why, options = "its console is at the port for results: its kernel was built without ", _PORT
    elif not why and silent:
        why, options = (
            "QEMU can't start its kernel, which is damaged or for another CPU, or that was built without ",
            (*_SERIAL, *arch.console_needs),
        )
    options = arch.port_needs if options is _PORT else options
    return f"{why}{', '.join(map(kconfig.line, options))}"
