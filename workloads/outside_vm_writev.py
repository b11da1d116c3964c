# SPDX-License-Identifier: GPL-2.0-only
"""Another process writes to a page with process_vm_writev(2).

The kernel takes the page by pin_user_pages_remote() with FOLL_WRITE, a write fault of the tracked memory that another
process runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "kernel writes"
WHY = {
    "handlers": (
        "the write fault is taken in the kernel: UFFD_USER_MODE_ONLY has it fail, and mprotect's handler is not "
        "asked either"
    ),
}


def play(stage: Stage) -> None:
    """One page is written."""
    outsider = stage.outsider()
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write_from_outside(outsider, mapping[5])
    stage.collect()
