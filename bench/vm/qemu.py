# SPDX-License-Identifier: GPL-2.0-only
"""Runs a Python command in a guest: chooses between KVM and emulation, and starts QEMU."""

import hashlib
import os
import platform
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.errors import BadInput, BenchError, Unsupported
from bench.vm import cache, initramfs
from bench.vm.process import Guest

_QEMU = "qemu-system-x86_64"
_KVM = Path("/dev/kvm")
_HELLO_SECONDS = 120.0  # a quiet two-core machine needs 5 under TCG and 11 with instruction counting
_TRIAL_SECONDS = 10.0
_TRIAL_MEMORY_MIB = 512
# oops=panic: a kernel that went wrong must not go on measuring. panic=-1 with -no-reboot ends QEMU at once.
_KERNEL_OPTIONS = "console=ttyS0 panic=-1 oops=panic loglevel=7 printk.time=1 random.trust_cpu=on rdinit=/init"
# -cx16: QEMU 7.2's TCG corrupts state around cmpxchg16b; guests oopsed in 3 of 6 boots.
_TCG = ["-cpu", "max,-cx16,-erms", "-accel", "tcg"]
_ACCELERATORS = {
    "kvm": ("kvm", ["-cpu", "host", "-accel", "kvm"]),
    "tcg": ("tcg", _TCG),
    "icount": ("tcg-icount", [*_TCG, "-icount", "shift=0,sleep=off"]),
}


def run(
    image: Path,
    argv: Sequence[str],
    *,
    packages: Sequence[str],
    trees: Sequence[Path] = (),
    memory_mib: int,
    cpus: int,
    accel: str,
    time_limit: float,
    log: Path,
    echo: Callable[[str], None],
) -> Guest:
    """Boot `image`, run Python with `argv` in it, return the guest, which yields the command's stdout lines.

    accel is auto, kvm, tcg or icount (one CPU, whatever `cpus` says); time_limit is in seconds, 0 for none; the
    console is appended to `log`. Raises Unsupported without QEMU or where KVM was asked for and doesn't work.
    """
    if platform.machine() != "x86_64":
        raise Unsupported(f"guests need an x86-64 machine, not {platform.machine()}", "measure here: --where here")
    if shutil.which(_QEMU) is None:
        raise Unsupported(f"no {_QEMU} on this machine", "install qemu-system-x86")
    accel, reason = _choose(accel, image, packages, echo)
    echo(f"booting {image.name} under {_ACCELERATORS[accel][0]} ({reason}), console in {log}")
    limits = (_HELLO_SECONDS, time_limit)
    return _boot(
        image,
        argv,
        accel,
        packages=packages,
        trees=trees,
        memory_mib=memory_mib,
        cpus=cpus,
        limits=limits,
        log=log,
        reason=reason,
        echo=echo,
    )


def _boot(
    image: Path,
    argv: Sequence[str],
    accel: str,
    *,
    packages: Sequence[str],
    trees: Sequence[Path] = (),
    memory_mib: int,
    cpus: int,
    limits: tuple[float, float],
    log: Path,
    reason: str = "",
    echo: Callable[[str], None],
) -> Guest:
    where, options = _ACCELERATORS[accel]
    ours, qemus = socket.socketpair()
    # An unlinked file and a socket pair, both inherited: nothing to tidy up, whatever kills us.
    with tempfile.TemporaryFile() as archive, qemus:
        initramfs.build(archive, argv, packages=packages, trees=trees)
        command = [
            *(_QEMU, "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot"),
            *options,
            *("-m", str(memory_mib), "-smp", str(1 if accel == "icount" else cpus)),
            *("-kernel", str(image), "-initrd", f"/dev/fd/{archive.fileno()}", "-append", _KERNEL_OPTIONS),
            *("-serial", "stdio", "-chardev", f"socket,id=results,fd={qemus.fileno()}", "-serial", "chardev:results"),
        ]
        return Guest(command, ours, where=where, accel_reason=reason, limits=limits, log=log, echo=echo)


def _choose(accel: str, image: Path, packages: Sequence[str], echo: Callable[[str], None]) -> tuple[str, str]:
    """Return the accelerator to use, and why."""
    if accel not in {"auto", *_ACCELERATORS}:
        raise BadInput(f"no accelerator {accel!r}", f"there are auto, {', '.join(_ACCELERATORS)}")
    if accel in {"tcg", "icount"}:
        return accel, "as asked"
    trouble = _kvm_trouble(image, packages, echo)
    if not trouble:
        return "kvm", "a trial boot worked"
    if accel == "kvm":
        raise Unsupported(f"KVM doesn't work here: {trouble}", "use auto or tcg")
    # Plain TCG's times move with whatever else the host does; instruction counts of two runs agree within 2 %.
    return "icount", f"TCG counting instructions, since there is no KVM: {trouble}"


def _kvm_trouble(image: Path, packages: Sequence[str], echo: Callable[[str], None]) -> str:
    """Return why this kernel can't run under KVM here, empty if it can; the verdict is kept until the next boot."""
    if not _KVM.exists():
        return f"there is no {_KVM}"
    if not os.access(_KVM, os.R_OK | os.W_OK):
        return f"this user can't open {_KVM} (it takes the group kvm)"
    folder = cache.folder("kvm")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    status = image.stat()
    version = subprocess.run([_QEMU, "--version"], capture_output=True, check=False).stdout
    subject = repr([version, str(image.resolve()), status.st_mtime_ns, status.st_size])
    verdict = folder / f"{boot}-{hashlib.sha256(subject.encode()).hexdigest()[:16]}"
    if not verdict.exists():
        for old in folder.iterdir():
            if not old.name.startswith(boot):
                old.unlink()
        echo(f"trying KVM, for at most {_TRIAL_SECONDS:.0f} s")
        trouble = _trial(image, packages)
        with cache.replacing(verdict) as file:
            file.write(trouble.encode())
    return verdict.read_text()


def _trial(image: Path, packages: Sequence[str]) -> str:
    """Boot the kernel under KVM with a command that does nothing; return what went wrong."""
    # KVM has been seen present and unusable: guests that die, or crawl at a hundredth of TCG's speed.
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        try:
            list(
                _boot(
                    image,
                    ["-c", "pass"],
                    "kvm",
                    packages=packages,
                    memory_mib=_TRIAL_MEMORY_MIB,
                    cpus=1,
                    limits=(_TRIAL_SECONDS, _TRIAL_SECONDS),
                    log=Path(log.name),
                    echo=lambda _: None,
                )
            )
        except BenchError as error:
            return f"in a trial boot {error}"
    return ""
