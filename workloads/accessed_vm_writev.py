# SPDX-License-Identifier: GPL-2.0-only
"""process_vm_writev(2) writes to the tracked memory.

As accessed_vm_readv, with FOLL_WRITE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "handlers": "as accessed_write_call",
}


def play(stage: Stage) -> None:
    """One page is written by the kernel."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.vm_write(mapping[3])
    stage.collect()
