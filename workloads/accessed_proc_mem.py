# SPDX-License-Identifier: GPL-2.0-only
"""The tracked memory is read through /proc/self/mem, as debuggers do.

access_remote_vm() takes the page with FOLL_FORCE, past a protection that the program itself could not pass, and reads
it by the kernel's own mapping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "handlers": "as accessed_write_call",
    "mprotect-none": (
        "access_remote_vm() reads with FOLL_FORCE what the program may not read, past its handler; where "
        "kernels restrict that to debuggers (proc_mem.force_override=, 41e8149c8892, Linux 6.12) it fails "
        "with EIO"
    ),
}


def play(stage: Stage) -> None:
    """Two pages are read by the kernel."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.proc_mem_read(mapping[3:5])
    stage.collect()
