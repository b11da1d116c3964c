# SPDX-License-Identifier: GPL-2.0-only
"""read(2) puts data into the tracked memory.

copy_to_user() writes by the program's own page table, and faults as it would.
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
    stage.kernel_reads_into(mapping[3])
    stage.collect()
