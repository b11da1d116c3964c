# SPDX-License-Identifier: GPL-2.0-only
"""Architectures of guests, a row each: what Debian and QEMU call them, and what their kernels have and lack.

Sizes of pages and huge pages are not here but for planning memory: what a kernel has, it is asked for (sysconf, sysfs).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bench.errors import BadInput


class Arch(NamedTuple):
    """One architecture, or one of several page sizes that it has kernels for.

    `debian`: of its packages; `flavour`: of the kernels that are booted; `machine`: what uname -m prints; `image`: the
    form of a kernel, and where a tree builds it; `triplet`: of compilers and folders of libraries; `suites`: those
    of Debian's archive with its kernels and its Python.
    """

    name: str
    debian: str
    flavour: str
    machine: str
    image: str
    built: str
    triplet: str
    compiler: str  # Debian's packages of it
    qemu: str
    qemu_package: str
    qemu_options: tuple[str, ...]  # the machine
    cpu: str  # where it is emulated
    console: str
    port: str  # the device of the second serial port, which records come through
    port_options: tuple[str, ...]  # of QEMU, for that; its chardev is `results`
    console_needs: tuple[str, ...]  # of a kernel's configuration
    port_needs: tuple[str, ...]
    symbols: frozenset[str]  # what the counting plugin finds its way by (bench/vm/counting.c)
    counts: tuple[str, ...]  # what that counts beside instructions
    page_size: int = 4096  # of its kernels: bytes of memory are planned with it before one is asked
    huge_page: int = 2 << 20
    page_needs: tuple[str, ...] = ()  # of a kernel's configuration, to have pages of that size
    lacks: tuple[tuple[str, str], ...] = ()  # options that no kernel of it has, and why
    suites: tuple[str, ...] = ("bookworm", "trixie", "bookworm-backports", "trixie-backports")
    magic: bytes = b""  # of an Image, in its header
    cpu_known: str = ""  # what QEMU that CPU takes, where not all know it
    empty_nodes: bool = True  # whether a NUMA node of the machine can be without a CPU

    @property
    def options(self) -> tuple[str, ...]:
        """What both ports and its pages need of a kernel's configuration."""
        return (*self.page_needs, *self.console_needs, *self.port_needs)

    @property
    def option(self) -> str:
        """What a command is typed with for it, with a space before: empty for the usual one."""
        return "" if self.name == USUAL else f" --arch {self.name}"

    @property
    def path(self) -> str:
        """The end of names of what is kept of it in the cache: empty for the usual one."""
        return "" if self.name == USUAL else f"-{self.name}"


_ARM64 = Arch(
    "arm64",
    debian="arm64",
    flavour="cloud-arm64",
    machine="aarch64",
    image="Image",
    built="arch/arm64/boot/Image",
    triplet="aarch64-linux-gnu",
    compiler="gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    qemu="qemu-system-aarch64",
    qemu_package="qemu-system-arm",
    qemu_options=("-machine", "virt,gic-version=3"),
    # The architected hash of pointers that are signed is slow to emulate (docs/system/arm/cpu-features.rst in QEMU).
    cpu="max,pauth-impdef=on",
    console="ttyAMA0",
    port="/dev/ttyS0",  # the machine has one port of its own; this one is on PCI
    port_options=("-device", "pci-serial,chardev=results"),
    console_needs=("SERIAL_AMBA_PL011", "SERIAL_AMBA_PL011_CONSOLE"),
    port_needs=("SERIAL_8250", "SERIAL_8250_PCI", "PCI_HOST_GENERIC"),
    symbols=frozenset(
        {"vectors", "do_mem_abort", "cpu_switch_to", "do_exit", "__entry_text_start", "__entry_text_end"}
    ),
    counts=("loads", "stores", "faults", "tlbi", "ttbr", "ipi"),
    page_needs=("ARM64_4K_PAGES",),
    lacks=(("MEM_SOFT_DIRTY", "arm64 has no soft-dirty bits: no HAVE_ARCH_SOFT_DIRTY"),),
    magic=b"ARM\x64",  # Documentation/arch/arm64/booting.rst
)
_RISCV64 = Arch(
    "riscv64",
    debian="riscv64",
    flavour="riscv64",
    machine="riscv64",
    image="Image",
    built="arch/riscv/boot/Image",
    triplet="riscv64-linux-gnu",
    compiler="gcc-riscv64-linux-gnu libc6-dev-riscv64-cross",
    qemu="qemu-system-riscv64",
    qemu_package="qemu-system-riscv",
    qemu_options=("-machine", "virt"),
    # Both the soft-dirty and the uffd bit are in what this extension leaves to software (arch/riscv/include/asm/
    # pgtable-bits.h); a CPU without it has neither, whatever the kernel's configuration says.
    cpu="rv64,svrsw60t59b=on",
    cpu_known="QEMU 11.1, such as Debian's testing has, knows it",
    empty_nodes=False,
    console="ttyS0",
    port="/dev/ttyS1",
    port_options=("-device", "pci-serial,chardev=results"),
    console_needs=("SERIAL_8250", "SERIAL_8250_CONSOLE", "SERIAL_OF_PLATFORM"),
    port_needs=("SERIAL_8250_NR_UARTS=2", "SERIAL_8250_RUNTIME_UARTS=2", "SERIAL_8250_PCI", "PCI_HOST_GENERIC"),
    symbols=frozenset({"handle_exception", "do_irq", "do_page_fault", "__switch_to", "do_exit"}),
    counts=("loads", "stores", "faults", "sfence", "satp", "ipi"),
    # Debian's kernels before 7.2 have neither bit; "testing" is where its newer ones are.
    suites=("trixie", "trixie-backports", "testing"),
    magic=b"RSC\x05",  # Documentation/arch/riscv/boot-image-header.rst
)
USUAL = "amd64"
ARCHES = {
    row.name: row
    for row in (
        Arch(
            USUAL,
            debian="amd64",
            flavour="cloud-amd64",
            machine="x86_64",
            image="bzImage",
            built="arch/x86/boot/bzImage",
            triplet="x86_64-linux-gnu",
            compiler="gcc",
            qemu="qemu-system-x86_64",
            qemu_package="qemu-system-x86",
            qemu_options=(),
            # -cx16: QEMU 7.2's TCG corrupts state around cmpxchg16b; guests oopsed in 3 of 6 boots.
            cpu="max,-cx16,-erms",
            console="ttyS0",
            port="/dev/ttyS1",
            port_options=("-serial", "chardev:results"),
            console_needs=("SERIAL_8250", "SERIAL_8250_CONSOLE"),
            port_needs=("SERIAL_8250_NR_UARTS=2", "SERIAL_8250_RUNTIME_UARTS=2"),
            # x86 has them all since Linux 5.8.
            symbols=frozenset(
                {
                    *("asm_exc_page_fault", "irq_entries_start", "entry_SYSCALL_64", "__switch_to_asm", "do_exit"),
                    *("__entry_text_start", "__entry_text_end"),
                }
            ),
            counts=("loads", "stores", "faults", "invlpg", "invpcid", "cr3", "ipi"),
        ),
        _ARM64,
        _ARM64._replace(
            name="arm64-16k",
            flavour="arm64-16k",
            page_size=16 << 10,
            huge_page=32 << 20,
            page_needs=("ARM64_16K_PAGES",),
        ),
        _RISCV64,
    )
}


def lacking(machine: str, options: Iterable[str]) -> str:
    """Return why no kernel of a machine, as uname -m prints it, can have these options; empty where one can."""
    lacks = next((dict(row.lacks) for row in ARCHES.values() if row.machine == machine), {})
    return next((lacks[option] for option in options if option in lacks), "")


def other(arch: Arch, machine: str, page_size: int) -> tuple[str, str]:
    """Return what a kernel for a machine, with pages of so many bytes, is, and what to do, where it is of another one.

    Both are empty where it is of this one.
    """
    if (machine, page_size) == (arch.machine, arch.page_size):
        return "", ""
    of = next((row.name for row in ARCHES.values() if (row.machine, row.page_size) == (machine, page_size)), "")
    why = f"{machine} with pages of {page_size >> 10} KiB, and --arch {arch.name} is {arch.machine} with pages of "
    return f"{why}{arch.page_size >> 10} KiB", f"give --arch {of}" if of else "there are no guests with such a kernel"


def differs(arch: Arch, facts: Mapping[str, object]) -> str:
    """Return what a machine's facts say that no kernel of an architecture can; empty for nothing."""
    machine, size = facts.get("architecture", arch.machine), facts.get("page_size", arch.page_size)
    if not isinstance(machine, str) or not isinstance(size, int):
        return f"that it is {machine!r:.40} with pages of {size!r:.40}"
    why, remedy = other(arch, machine, size)
    return f"that it is {why}: {remedy}" if why else ""


def find(name: str) -> Arch:
    """Return the row of an architecture. Raises BadInput for one that there is not."""
    if name not in ARCHES:
        raise BadInput(f"no architecture {name!r}", f"there are {', '.join(ARCHES)}")
    return ARCHES[name]
