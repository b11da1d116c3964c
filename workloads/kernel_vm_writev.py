# SPDX-License-Identifier: GPL-2.0-only
"""process_vm_writev(2) writes to the tracked memory.

The kernel takes the page by get_user_pages() with FOLL_WRITE and copies through its own mapping: the fault is
resolved by faultin_page(), not by the CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "kernel writes"
WHY = {"handlers": "as kernel_read"}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.vm_write(mapping[3])
    stage.collect()
