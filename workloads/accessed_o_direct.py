# SPDX-License-Identifier: GPL-2.0-only
"""Tracked memory is written to a file with O_DIRECT.

The device reads pages that are pinned for the time of the call (iov_iter_extract_pages()): by their physical
addresses, which sets no accessed bit. gup_can_follow_protnone() faults on memory that is registered for RWP;
gup_fast_pte_range() marks what it pins as referenced (folio_set_referenced()), which smaps counts.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "handlers": "as accessed_write_call",
}


def play(stage: Stage) -> None:
    """Two pages are read by the device."""
    mapping = stage.map(8)
    backing = stage.file(2, os.O_DIRECT)
    stage.track(mapping)
    stage.reset_afresh()
    stage.kernel_writes_from(mapping[3:5], backing)
    stage.collect()
