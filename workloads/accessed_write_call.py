# SPDX-License-Identifier: GPL-2.0-only
"""write(2) takes data from the tracked memory.

copy_from_user() reads by the program's own page table, and faults as it would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "handlers": (
        "the kernel's own access gets no handler: no SIGSEGV is sent for it, and userfaultfd with "
        "UFFD_USER_MODE_ONLY does not handle it (userfaultfd(2)); the call fails instead, on all kernels"
    ),
}


def play(stage: Stage) -> None:
    """Two pages are read by the kernel."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.kernel_writes_from(mapping[3:5])
    stage.collect()
