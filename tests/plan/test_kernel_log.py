# SPDX-License-Identifier: GPL-2.0-only
"""What kernels print where something is wrong with them, each as one kind, and what looks like it and is not."""

import pytest

from bench.plan import kernel_log

COMPLAINTS = {
    "WARNING: CPU: 0 PID: 77 at fs/proc/task_mmu.c:2900 do_pagemap_scan+0x1a5/0x5d0": "WARNING",
    "WARNING: fs/proc/task_mmu.c:2900 at do_pagemap_scan+0x1a5/0x5d0, CPU#0: python3/77": "WARNING",
    "BUG: kernel NULL pointer dereference, address: 0000000000000008": "BUG",
    "BUG: sleeping function called from invalid context at mm/memory.c:5920": "BUG",
    "BUG: Bad page map in process python3  pte:8000 pmd:0": "BUG",
    "kernel BUG at mm/huge_memory.c:2100!": "BUG",
    "Oops: 0002 [#1] PREEMPT SMP PTI": "oops",
    "Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1]": "oops",
    "general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#1]": "oops",
    "Unable to handle kernel paging request at virtual address ffff0000": "oops",
    "Kernel panic - not syncing: Fatal exception": "panic",
    "WARNING: possible circular locking dependency detected": "lockdep",
    "WARNING: possible recursive locking detected": "lockdep",
    "INFO: possible recursive locking detected": "lockdep",
    "WARNING: inconsistent lock state": "lockdep",
    "WARNING: bad unlock balance detected!": "lockdep",
    "WARNING: suspicious RCU usage": "lockdep",
    "[ BUG: Invalid wait context ]": "lockdep",
    "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:": "RCU stall",
    "rcu: INFO: rcu_sched self-detected stall on CPU": "RCU stall",
    "INFO: rcu_tasks detected stalls on tasks:": "RCU stall",
    "rcu: rcu_preempt kthread starved for 5250 jiffies! g100 f0x0": "RCU stall",
    "INFO: task python3:77 blocked for more than 120 seconds.": "hung task",
    "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [python3:77]": "lockup",
    "watchdog: CPU2: Watchdog detected hard LOCKUP on cpu 2": "lockup",
    "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!": "lockup",
    "BUG: KASAN: slab-use-after-free in do_pagemap_scan+0x1a5/0x5d0": "KASAN",
    "BUG: KCSAN: data-race in pagemap_scan_pmd_entry / pagemap_scan_pmd_entry": "KCSAN",
    "BUG: KFENCE: out-of-bounds read in do_pagemap_scan+0x1a5/0x5d0": "KFENCE",
    "UBSAN: array-index-out-of-bounds in fs/proc/task_mmu.c:2100:13": "UBSAN",
}
HARMLESS = [
    "Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible",
    "traps: python3[77] general protection fault ip:7f sp:7f error:0 in libc.so",
    "rcu: Preemptible hierarchical RCU implementation.",
    "Kernel command line: console=ttyS0 panic=-1 oops=panic",
    "clocksource: Long readout interval, skipping watchdog check",
    "debug: BUG_ON is compiled in",
    "",
]


@pytest.mark.parametrize("stamp", ["[    0.000000] ", "[12345.678901] ", "[    3.141592][    T1] "])
def test_every_complaint_is_one_kind_and_kept_as_it_is(stamp):
    for said, kind in COMPLAINTS.items():
        assert kernel_log.scan([stamp + said]) == ({kind: 1}, [stamp + said]), said
    assert kernel_log.scan([stamp + said for said in HARMLESS]) == ({}, [])


def test_only_the_kernels_own_lines_count():
    words = ["WARNING: of a program", "python3: [    1.000000] WARNING: quoted", "qemu: BUG: x", "[x] BUG: y"]
    assert kernel_log.scan(words) == ({}, [])


def test_counts_by_kind_with_the_first_line_of_each():
    lines = [f"[    {i}.000000] WARNING: number {i}" for i in range(5)] + ["[    9.000000] BUG: one"]
    assert kernel_log.scan(lines) == ({"WARNING": 5, "BUG": 1}, [lines[0], lines[5]])
    assert kernel_log.scan(iter(())) == ({}, [])


def test_what_is_kept_is_harmless_to_print():
    line = "\x1b[31m\x1b]0;title\x07[    1.000000] WARNING: \x1b[2Jred \x9b31m caf\xe9 \x00\x7f" + "x" * 5000
    counts, [first] = kernel_log.scan([line[line.index("[    1") :], line.replace("\x1b]0;title\x07", "")])
    assert counts == {"WARNING": 2}
    assert first.startswith("[    1.000000] WARNING: red ?31m caf\xe9 ??xxx")
    assert len(first) == kernel_log.LONGEST
    assert first.isprintable()


def test_the_kernels_own_lines_are_counted():
    assert kernel_log.own(["[    1.000000] one", "a program's", "\x1b[1m[   12.345678] bold", ""]) == 2
