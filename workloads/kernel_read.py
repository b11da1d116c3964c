# SPDX-License-Identifier: GPL-2.0-only
"""The kernel writes into the tracked memory for the program: read(2).

copy_to_user() faults as the program's own write does. Interfaces with a handler in user space get no fault, and the
call fails with EFAULT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "kernel writes"
WHY = {
    "handlers": (
        "the kernel's own access gets no handler: no SIGSEGV is sent for it, and userfaultfd with UFFD_USER_MODE_ONLY "
        "does not handle it (userfaultfd(2)); the call fails instead, on all kernels"
    ),
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.kernel_reads_into(mapping[3])
    stage.collect()
