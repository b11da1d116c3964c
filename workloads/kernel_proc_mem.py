# SPDX-License-Identifier: GPL-2.0-only
"""A write to /proc/self/mem changes the tracked memory, as debuggers do.

access_remote_vm() uses FOLL_FORCE: it writes to memory that is read-only for the program too, so a tracker that
uses mprotect hears nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "kernel writes"
WHY = {
    "uffd-sync": "as populate_write",
    "mprotect": (
        "access_remote_vm() writes with FOLL_FORCE to memory that is read-only, past its handler; where kernels "
        "restrict that to debuggers (proc_mem.force_override=, 41e8149c8892, Linux 6.12) it fails with EIO"
    ),
}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.proc_mem_write(mapping[3])
    stage.collect()
