# SPDX-License-Identifier: GPL-2.0-only
"""Options of a kernel's configuration: those that a result must name, and those that a kernel needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bench.plan import arches
from bench.plan.arches import ARCHES, USUAL, Arch
from bench.plan.interfaces import INTERFACES, Interface

UNKNOWN = "unknown"
MOST = 1 << 22  # bytes of a configuration: that of a kernel with everything has 400 KiB
# What the cost of a page-table walk, a fault or a TLB flush depends on
OPTIONS = (
    *("MEM_SOFT_DIRTY", "USERFAULTFD", "PTE_MARKER_UFFD_WP", "TRANSPARENT_HUGEPAGE", "PER_VMA_LOCK", "LRU_GEN"),
    *("PREEMPT", "PREEMPT_VOLUNTARY", "PREEMPT_LAZY", "PREEMPT_RT", "HZ", "NUMA_BALANCING", "KSM", "MEMCG"),
    *("PAGE_TABLE_ISOLATION", "MITIGATION_PAGE_TABLE_ISOLATION", "INIT_ON_ALLOC_DEFAULT_ON", "PAGE_TABLE_CHECK"),
    *("DEBUG_VM", "DEBUG_PAGEALLOC", "PROVE_LOCKING", "LOCK_STAT", "KASAN", "KCSAN", "UBSAN", "KCOV"),
)
# To boot as a guest does: an initramfs with Python in it, and two serial ports, the console and the one for results.
_BEFORE_PORTS, _AFTER_PORTS = (
    ("64BIT", "PRINTK", "TTY"),
    (
        *("BLK_DEV_INITRD", "BINFMT_ELF", "BINFMT_SCRIPT", "DEVTMPFS", "PROC_FS"),
        *("SYSCTL", "SYSFS", "SHMEM", "TMPFS", "FUTEX", "POSIX_TIMERS", "ADVISE_SYSCALLS", "MULTIUSER"),
    ),
)
# Beside 4 KiB pages of anonymous memory; and what names functions and makes an image tell its own configuration.
MEMORY = ("SHMEM", "TMPFS", "MEMFD_CREATE", "TRANSPARENT_HUGEPAGE", "HUGETLBFS")
RECORD = ("KALLSYMS", "IKCONFIG", "IKCONFIG_PROC")


def boot(arch: Arch) -> tuple[str, ...]:
    """Return what a kernel of an architecture needs to boot as a guest does."""
    return (*_BEFORE_PORTS, *arch.options, *_AFTER_PORTS)


BOOT = boot(ARCHES[USUAL])


def chosen(config: str) -> str:
    """Return the OPTIONS of a kernel configuration's text that are set: `HZ=250 KSM=y`; `unknown` without a text."""
    found = settings(config)
    return " ".join(f"{name}={found[name]}" for name in OPTIONS if name in found) if found else UNKNOWN


def settings(config: str) -> dict[str, str]:
    """Return the options that a configuration's text sets, with their values."""
    return dict(re.findall(r"^CONFIG_(\w+)=(\S+)$", config, re.MULTILINE))


def lacking(config: str, options: Iterable[str]) -> list[str]:
    """Return those of the options that a configuration's text lacks, as it would say them: CONFIG_USERFAULTFD=y.

    A guest loads no modules: what is one is lacking too. Of a number, less is lacking.
    """
    found = settings(config)
    lacks = []
    for option in options:
        name, _, least = option.partition("=")
        value = found.get(name, "")
        if not (value.isdecimal() and int(value) >= int(least) if least else value == "y"):
            lacks.append(line(option))
    return lacks


def line(option: str) -> str:
    """Return an option as a configuration has it."""
    name, _, least = option.partition("=")
    return f"CONFIG_{name}={least or 'y'}"


def fragment(rows: Sequence[Interface], arch: Arch = ARCHES[USUAL]) -> str:
    """Return what a kernel needs for these interfaces, as scripts/kconfig/merge_config.sh takes it.

    Of an interface that no kernel of the architecture can have it is said why.
    """
    lacks = {row: arches.lacking(arch.machine, row.options) for row in rows}
    said: set[str] = set()
    lines: list[str] = []
    for title, options in (
        ("to boot in QEMU: an initramfs, and two serial ports", boot(arch)),
        *((f"{row.name}: {why or row.summary}", () if why else row.options) for row, why in lacks.items()),
        ("other kinds of memory: shmem, files, huge pages", MEMORY),
        ("functions by name, and an image that tells its configuration", RECORD),
    ):
        new = [option for option in options if option not in said]
        said.update(new)
        more = "" if new else ", nothing more" if options else ", nothing"
        lines += [f"# {title}{more}", *map(line, new)]
    return "\n".join(lines) + "\n"


def of_interfaces(names: Iterable[str]) -> list[Interface]:
    """Return the rows of these interfaces, of all that there are where none is named."""
    wanted = set(names)
    return [row for row in INTERFACES.values() if row.tracks and (not wanted or row.name in wanted)]
