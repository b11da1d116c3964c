# SPDX-License-Identifier: GPL-2.0-only
"""Runs a Python command in a guest: chooses between KVM and emulation, and starts QEMU."""

import hashlib
import os
import platform
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Sequence
from functools import cache as cache_results
from pathlib import Path
from typing import NamedTuple

from bench import processes
from bench.errors import BadInput, BenchError, Unsupported
from bench.files import replacing
from bench.harmless import harmless
from bench.plan.arches import ARCHES, USUAL, Arch
from bench.vm import cache, foreign, initramfs, special
from bench.vm.counting import Counts, Plugin
from bench.vm.guest import Guest

_KVM = Path("/dev/kvm")
_HELLO_SECONDS = 120.0  # a quiet two-core machine needs 5 under TCG and 11 with instruction counting
_TRIAL_SECONDS = 10.0
_TRIAL_MEMORY_MIB = 512
_KILLED = re.compile(r"QEMU ended with status -\d")
_WHOLE = "\nthat is all\n"  # ends a verdict that is kept: an empty file is none
# oops=panic, softlockup_panic=1: a kernel that went wrong must not go on measuring, and who hangs is to say where.
# hung_task_timeout_secs: a task that hangs fails alone, but the kernel names it before it is given up. panic=-1 with
# -no-reboot ends QEMU at once.
_KERNEL_OPTIONS = (
    "console={console} panic=-1 oops=panic softlockup_panic=1 sysctl.kernel.hung_task_timeout_secs=10 loglevel=7 "
    "printk.time=1 random.trust_cpu=on rdinit=/init"
)
# thread=single: before QEMU 8.1 a CPU may run code as it was before another one patched it, so that a static branch of
# the kernel meets the int3 of the patching (fixed by its commit deba78709a): "Oops: int3" in one of some hundred boots
# with two CPUs.
_TCG = ("-accel", "tcg,thread=single")
# Counted runs are to repeat: the same addresses in every boot, and the same date, of which the kernel's random numbers
# are made too. With the same seed two boots count the same to the instruction.
_SAME_DATE = ("-rtc", "base=2026-01-01T00:00:00,clock=vm")
SAME_ADDRESSES = "nokaslr norandmaps"
# Two seconds of a counted guest are 2 * 10^9 instructions, however busy the host is, and may take it a minute: a soft
# lockup is one after 2 s there, and after 20 s elsewhere.
_SOON = "watchdog_thresh=1"


class Accelerator(NamedTuple):
    """How QEMU runs a guest: what it is asked for by, its name in records and for people, options, why it was chosen.

    `works`: False where it stands in for KVM, which does not work. `plugin`: what counts the instructions of phases.
    `arch`: the guest's.
    """

    word: str
    where: str
    title: str
    options: tuple[str, ...]
    kernel_options: str = ""
    why: str = "as asked"
    works: bool = True
    plugin: Plugin | None = None
    arch: Arch = ARCHES[USUAL]

    @property
    def counted(self) -> bool:
        """Whether the guest's clock counts instructions, one a nanosecond; it has one CPU then."""
        return "-icount" in self.options


_ACCELERATORS = {
    "kvm": Accelerator("kvm", "kvm", "KVM", ("-cpu", "host", "-accel", "kvm")),
    "tcg": Accelerator("tcg", "tcg", "TCG", _TCG),
    "icount": Accelerator(
        "icount",
        "tcg-icount",
        "TCG, counting instructions",
        (*_TCG, "-icount", "shift=0,sleep=off", *_SAME_DATE),
        f"{SAME_ADDRESSES} {_SOON}",
    ),
}


def accelerator(accel: str, image: Path, packages: Sequence[str], echo: Callable[[str], None], *,
                otherwise: str = "icount", arch: Arch = ARCHES[USUAL]) -> Accelerator:  # fmt: skip
    """Choose: auto, kvm, tcg or icount. `otherwise` is what auto takes where KVM does not work: icount or tcg.

    Raises Unsupported without QEMU or where KVM was asked for and doesn't work, BadInput for another word.
    """
    need(accel, arch)
    if accel in {"tcg", "icount"}:
        return _of(accel, arch)
    trouble = _foreign(arch) or _kvm_trouble(image, packages, echo)
    if not trouble:
        return _ACCELERATORS["kvm"]._replace(why="a trial boot worked")
    if accel == "kvm":
        raise Unsupported(f"KVM doesn't work here: {trouble}", "use auto or tcg")
    # Plain TCG's times move with whatever else the host does; instruction counts repeat.
    stands_in = not _foreign(arch)  # else nobody would have expected KVM
    why = f"KVM does not work here: {trouble}" if stands_in else trouble
    return _of(otherwise, arch)._replace(why=why, works=not stands_in)


def _of(word: str, arch: Arch) -> Accelerator:
    """Return what emulates an architecture."""
    found = _ACCELERATORS[word]
    return found._replace(title=f"{found.title}, {arch.name}" if arch.path else found.title, arch=arch)


def _foreign(arch: Arch) -> str:
    """Return why KVM can't run an architecture here, empty where this machine is of it."""
    if arch.machine == platform.machine():
        return ""
    return f"a {platform.machine()} machine emulates {arch.machine}"


def need(accel: str, arch: Arch = ARCHES[USUAL]) -> None:
    """Raise Unsupported where no guest can run, BadInput where there is no such accelerator. It takes no kernel."""
    if platform.machine() != "x86_64":
        raise Unsupported(f"guests need an x86-64 machine, not {platform.machine()}", "measure here: --where here")
    if shutil.which(arch.qemu) is None:
        hint = f"install {arch.qemu_package}{f': {arch.cpu_known}' if arch.cpu_known else ''}"
        raise Unsupported(f"no {arch.qemu} on this machine", hint)
    if accel not in {"auto", *_ACCELERATORS}:
        raise BadInput(f"no accelerator {accel!r}", f"there are auto, {', '.join(_ACCELERATORS)}")
    foreign.need(arch)
    if arch.cpu_known and (why := _complaint(arch)):
        raise Unsupported(f"{arch.qemu} doesn't know the CPU {arch.cpu}, which {arch.name} guests need: {why}",
                          arch.cpu_known)  # fmt: skip


@cache_results
def _complaint(arch: Arch) -> str:
    """Return what QEMU has against the CPU of an architecture, empty for nothing: it makes the machine, and leaves."""
    machine = (arch.qemu, "-no-user-config", "-nodefaults", "-display", "none", *arch.qemu_options, "-cpu", arch.cpu)
    done = processes.run([*machine, "-S", "-monitor", "stdio"], _TRIAL_SECONDS, "quit\n")
    said = done.stderr.strip().splitlines()
    return (harmless(said[-1]) if said else f"it ends with status {done.returncode}") if done.returncode else ""


def candidates(accel: str, image: Path | None, *, otherwise: str = "icount", arch: Arch = ARCHES[USUAL]
               ) -> list[Accelerator]:  # fmt: skip
    """Return what accelerator() may choose, without a trial: of two the first, if that works.

    image: None where it is not there yet. Raises Unsupported without QEMU.
    """
    need(accel, arch)
    if accel != "auto":
        return [_of(accel, arch)]
    if not _foreign(arch) and not _kvm_refused():
        kept = _kept(_verdict(image)) if image else None
        if kept is None:
            return [_ACCELERATORS["kvm"], _ACCELERATORS[otherwise]]
        if not kept:
            return [_ACCELERATORS["kvm"]]
    return [_of(otherwise, arch)]


def boot(
    image: Path,
    argv: Sequence[str],
    accel: Accelerator,
    *,
    packages: Sequence[str],
    trees: Sequence[Path] = (),
    memory_mib: int,
    cpus: int,
    time_limit: float,
    log: Path | None,
    echo: Callable[[str], None],
    start_limit: float = _HELLO_SECONDS,
    append: str = "",
    more: Sequence[str] = (),
    seed: int = 0,
    scenarios: bool = False,
) -> Guest:
    """Boot `image` and run Python with `argv` in it. time_limit: seconds that iterating waits for a line.

    append: to the kernel's command line; more: arguments for QEMU; seed: of the random numbers of counted guests;
    scenarios: with what special.py has for them.

    The console is appended to `log`, if there is one, and what it says while the command runs is echoed.
    """
    cpus, arch = 1 if accel.counted else cpus, accel.arch
    append += f" {special.KERNEL_OPTIONS}" if scenarios else ""
    ours, qemus = socket.socketpair()
    # An unlinked file and a socket pair, both inherited: nothing to tidy up, whatever kills us.
    report = tempfile.TemporaryFile() if accel.plugin else None  # noqa: SIM115  (the guest closes it)
    options = f"{_KERNEL_OPTIONS.format(console=arch.console)} {accel.kernel_options} {append}"
    with tempfile.TemporaryFile() as archive, qemus, special.disks(scenarios, arch.page_size) as disks:
        initramfs.build(archive, argv, packages=packages, trees=trees, arch=arch, echo=echo)
        command = [
            *(arch.qemu, "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot"),
            *arch.qemu_options,
            *(() if accel.word == "kvm" else ("-cpu", arch.cpu)),
            *accel.options,
            *(("-seed", str(seed)) if accel.counted else ()),
            *(accel.plugin.options(report) if accel.plugin and report else ()),
            *("-smp", str(cpus)),
            *(special.nodes(memory_mib, cpus) if scenarios and arch.empty_nodes else ("-m", str(memory_mib))),
            *disks,
            *("-kernel", str(image), "-initrd", f"/dev/fd/{archive.fileno()}"),
            *("-append", " ".join(options.split())),
            *("-serial", "stdio", "-chardev", f"socket,id=results,fd={qemus.fileno()}", *arch.port_options),
            *more,
        ]
        guest = Guest(command, ours, limits=(start_limit, time_limit), log=log, echo=echo, arch=arch)
        guest.counts = Counts(report, arch.counts) if report else None
        return guest


def _kvm_trouble(image: Path, packages: Sequence[str], echo: Callable[[str], None]) -> str:
    """Return why this kernel can't run under KVM here, empty if it can; the verdict is kept until the next boot."""
    if refused := _kvm_refused():
        return refused
    folder, verdict = cache.folder("kvm"), _verdict(image)
    if (kept := _kept(verdict)) is not None:
        return kept
    for old in folder.iterdir():
        if not old.name.startswith(_boot_id()):
            old.unlink()
    echo(f"trying KVM, for at most {_TRIAL_SECONDS:.0f} s")
    trouble = _trial(image, packages)
    if not _KILLED.search(trouble):  # that says nothing of KVM
        with replacing(verdict) as file:
            file.write(f"{trouble}{_WHOLE}".encode())
    return trouble


def _kept(verdict: Path) -> str | None:
    """Return the trouble that a trial had, empty for none; None where no whole verdict is kept."""
    if not cache.usable(verdict, lambda found: found.endswith(_WHOLE.encode())):
        return None
    return harmless(verdict.read_text(errors="replace").removesuffix(_WHOLE))


def _kvm_refused() -> str:
    """Return why nothing can run under KVM here, empty where a trial has to tell."""
    if not _KVM.exists():
        return f"there is no {_KVM}"
    if not os.access(_KVM, os.R_OK | os.W_OK):
        return f"this user can't open {_KVM} (it takes the group kvm)"
    return ""


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _verdict(image: Path) -> Path:
    """Return where it is kept what a trial of this kernel under KVM came to."""
    status = image.stat()
    version = processes.finish([ARCHES[USUAL].qemu, "--version"], _TRIAL_SECONDS).stdout
    subject = repr([version, str(image.resolve()), status.st_mtime_ns, status.st_size])
    return cache.place() / "kvm" / f"{_boot_id()}-{hashlib.sha256(subject.encode()).hexdigest()[:16]}"


def _trial(image: Path, packages: Sequence[str]) -> str:
    """Boot the kernel under KVM with a command that does nothing; return what went wrong."""
    # KVM has been seen present and unusable: guests that die, or crawl at a hundredth of TCG's speed.
    try:
        list(
            boot(
                image,
                ["-c", "pass"],
                _ACCELERATORS["kvm"],
                packages=packages,
                memory_mib=_TRIAL_MEMORY_MIB,
                cpus=1,
                start_limit=_TRIAL_SECONDS,
                time_limit=_TRIAL_SECONDS,
                log=None,
                echo=lambda _: None,
            )
        )
    except BenchError as error:
        return f"in a trial boot {error}"
    return ""
