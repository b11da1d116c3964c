# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel's log complains of: lines that a kernel prints where something is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bench.harmless import harmless

LONGEST = 200  # characters of a line that is kept
MANY = 100  # lines of a boot: printing more than these takes time from what is measured

# With printk.time=1, as guests have it, and perhaps CONFIG_PRINTK_CALLER: a program's words have no such beginning.
_STAMP = re.compile(r"\[ *\d+\.\d+\](?:\[ *[CT]\d+\])? ")
# The first that matches is the line's kind. Where a line must begin so, its words alone are no complaint: "Spectre V2 :
# WARNING: Unprivileged eBPF is enabled" is advice, and "traps: cat[7] general protection fault" a program's own.
_KINDS = {
    "lockdep": re.compile(
        r"possible (circular|recursive) locking|possible irq lock inversion|inconsistent lock state|"
        r"suspicious RCU usage|bad unlock balance|held lock freed|-(un)?safe lock order detected|"
        r"lock held when returning to user space|Invalid wait context|^INFO: trying to register non-static key"
    ),
    "RCU stall": re.compile(r"detected (expedited )?stalls? on|self-detected stall|kthread (timer wakeup|starved)"),
    "hung task": re.compile(r"task \S.* blocked for more than \d+ seconds"),
    "lockup": re.compile(r"soft lockup|hard LOCKUP|workqueue lockup"),
    "KASAN": re.compile(r"^BUG: KASAN"),
    "KCSAN": re.compile(r"^BUG: KCSAN"),
    "KMSAN": re.compile(r"^BUG: KMSAN"),
    "KFENCE": re.compile(r"^BUG: KFENCE"),
    "UBSAN": re.compile(r"^UBSAN: "),
    "panic": re.compile(r"^Kernel panic"),
    "oops": re.compile(r"^(Oops:|Internal error:|Unable to handle kernel|general protection fault)"),
    "BUG": re.compile(r"^(BUG: |kernel BUG at )"),
    "WARNING": re.compile(r"^WARNING: "),
}


HANGS = re.compile("|".join(_KINDS[kind].pattern for kind in ("RCU stall", "hung task", "lockup")))


def scan(lines: Iterable[str]) -> tuple[dict[str, int], list[str]]:
    """Return how many complaints of each kind there are, and the first line of each kind, harmless to print.

    lines: a console's, or those of the running kernel, each with the kernel's time stamp; others are no kernel's.
    """
    counts: dict[str, int] = {}
    first: dict[str, str] = {}
    for line in lines:
        shown = harmless(line.strip(), LONGEST)
        stamp = _STAMP.match(shown)
        said = shown[stamp.end() :] if stamp else ""
        kind = next((name for name, pattern in _KINDS.items() if said and pattern.search(said)), None)
        if kind:
            counts[kind] = counts.get(kind, 0) + 1
            first.setdefault(kind, shown)
    return counts, list(first.values())


def own(lines: Iterable[str]) -> int:
    """Return how many of the lines are a kernel's own: they have its time stamp."""
    return sum(_STAMP.match(harmless(line.strip(), LONGEST)) is not None for line in lines)
