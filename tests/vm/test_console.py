# SPDX-License-Identifier: GPL-2.0-only
"""What a guest's console says: how much of it is kept and echoed, and why a guest did not come to its command."""

import errno
import os
import time

import pytest

from bench.plan import kconfig
from bench.vm import causes, console
from bench.vm.console import Console


@pytest.fixture
def made(tmp_path):
    """A console, and what it echoed."""
    heard = []
    one = Console(tmp_path / "guest.log", "qemu", heard.append)
    one.running = True
    yield one, heard
    one.close()


def said(one):
    return one.path.read_bytes()


def test_what_comes_is_kept_as_it_came_and_echoed_harmless(made):
    one, heard = made
    one.take(b"one\r\n\x1b[31mred\xff\nhal")
    one.take(b"f\n")
    assert said(one) == b"qemu\none\n\x1b[31mred\xff\nhalf\n"
    assert heard == ["one", "red\ufffd", "half"]


@pytest.mark.timeout(30)
def test_a_pipe_in_the_place_of_the_log_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "guest.log")
    with pytest.raises(OSError, match=f"{tmp_path}/guest.log") as caught:
        Console(tmp_path / "guest.log", "qemu", str)
    assert caught.value.errno == errno.ENXIO


def test_a_few_lines_are_echoed_and_all_of_the_kernels_are_counted(made):
    one, heard = made
    one.take(b"a program's\n" + b"[    1.000000] the kernel's\n" * 5000)
    assert heard[: console.ECHOED] == ["a program's"] + ["[    1.000000] the kernel's"] * (console.ECHOED - 1)
    assert heard[console.ECHOED :] == [f"... more lines are in {one.path}"]
    assert one.lines == 5000
    assert said(one).count(b"kernel's") == 5000


def test_the_log_is_limited_and_says_so(made, monkeypatch):
    one, _ = made
    one._room = 1000
    one.take(b"x" * 99 + b"\n")
    for _ in range(100):
        one.take(b"y" * 99 + b"\n")
    assert said(one).endswith(b"y\n... more came: 16 MiB of a boot are kept\n")
    assert len(said(one)) < 1100


def test_a_line_without_an_end_is_cut_in_time(made):
    one, heard = made
    start = time.process_time()
    for _ in range(1 << 12):
        one.take(bytes(1 << 12))
    assert time.process_time() - start < 5
    assert len(said(one)) > 1 << 23
    assert max(map(len, heard)) <= 2000


def test_a_crash_is_told_by_its_first_lines_and_its_place(made):
    one, _ = made
    one.take(b"before\n[    1.0] BUG: unable to handle page fault\n[    1.1] CPU: 0 PID: 7 Comm: python3 Not tainted\n")
    one.take(b"[    1.2] RIP: 0010:do_pagemap_scan+0x1/0x2\n" + b"[    1.3] more\n" * 50)
    assert one.crash() == "[    1.0] BUG: unable to handle page fault, in the process python3, in do_pagemap_scan"
    assert one.told().startswith("the guest's last lines:\n  [    1.0] BUG: ")
    assert one.told().count("\n") == 15
    one.answered()
    assert not one.crash()
    one.take(b"[    2.0] Kernel panic - not syncing: why\n")
    one.answered()
    assert one.crash() == "[    2.0] Kernel panic - not syncing: why"


STALLS = [
    "INFO: task python3:77 blocked for more than 30 seconds.",
    "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [python3:7]",
    "rcu: INFO: rcu_preempt self-detected stall on CPU",
    "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
]


@pytest.mark.parametrize("stall", STALLS)
def test_what_hangs_comes_first_but_only_since_it_was_asked(made, stall):
    one, _ = made
    one.take(f"[    1.0] {stall}\n".encode() + b"[    1.1] more\n" * 50)
    assert one.stall().startswith(f"[    1.0] {stall}")
    assert one.told_since().startswith(f"its console said since:\n  [    1.0] {stall}\n")
    one.answered()
    one.asked()
    assert not one.stall()
    assert one.told_since() == "its console was silent since"


# What kernels and QEMU say; the first is the cause of the second
CAUSES = {
    "bench.vm.init: can't mount devtmpfs on /dev: No such device\nbench.vm.init: no second serial port (x)": "DEVTMPFS",
    "bench.vm.init: can't mount proc on /proc: No such device": "PROC_FS",
    "bench.vm.init: can't mount sysfs on /sys: No such device": "SYSFS",
    "bench.vm.init: can't mount tmpfs on /tmp: No such device": "TMPFS",
    "bench.vm.init: no second serial port ([Errno 5] Input/output error)": "SERIAL_8250_RUNTIME_UARTS=2",
    "[    0.7] Kernel panic - not syncing: VFS: Unable to mount root fs on x": "BLK_DEV_INITRD",
    "[    0.7] Failed to execute /init (error -8)": "BINFMT_SCRIPT",
    "[    0.7] Kernel panic - not syncing: No working init found.": "BINFMT_ELF",
}


@pytest.mark.parametrize("lines", CAUSES)
def test_the_cause_names_the_option_that_a_kernel_needs(made, lines):
    one, _ = made
    one.running = False
    one.take(f"[    0.1] Linux version 6.12\n{lines}\n[    0.9] more\n".encode())
    assert kconfig.line(CAUSES[lines]) in one.cause(b"")
    assert CAUSES[lines] in kconfig.BOOT


def test_causes_that_are_no_options_are_told_too(made):
    one, _ = made
    assert "CONFIG_SERIAL_8250_CONSOLE=y" in one.cause(b"")
    assert "CONFIG_SERIAL_8250_RUNTIME_UARTS=2" in one.cause(b"\xff[    0.000000] Linux version 6.12\n")
    one.running = False
    one.take(b"[    0.1] Linux version 6.12\n")
    assert not one.cause(b"\xff\xff")
    one.take(b"[    0.4] Initramfs unpacking failed: write error\n[    0.7] VFS: Unable to mount root fs\n")
    assert "too little memory" in one.cause(b"")


def test_every_option_of_a_cause_is_one_that_guests_need():
    assert {option for _, options in causes._SAID.values() for option in options} <= set(kconfig.BOOT)
