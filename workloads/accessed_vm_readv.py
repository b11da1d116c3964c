# SPDX-License-Identifier: GPL-2.0-only
"""process_vm_readv(2) reads the tracked memory.

pin_user_pages_remote() has FOLL_TOUCH: follow_page_pte() marks the page as accessed (mark_page_accessed()), which
smaps counts, though no accessed bit is set.
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
    """Two pages are read by the kernel."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.vm_read(mapping[3:5])
    stage.collect()
