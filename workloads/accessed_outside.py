# SPDX-License-Identifier: GPL-2.0-only
"""Another process reads the tracked memory by process_vm_readv(2).

Whoever decides what is cold by what is accessed wants to know of it: the page has to be there. As accessed_vm_readv,
from outside.
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
    """One page is read."""
    outsider = stage.outsider()
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read_from_outside(outsider, mapping[3])
    stage.collect()
