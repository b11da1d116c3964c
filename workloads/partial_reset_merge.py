# SPDX-License-Identifier: GPL-2.0-only
"""Half of the mapping is reset, then a round of mprotect makes one VMA of what the reset may have split.

The halves' VM_SOFTDIRTY may differ after v6's CLEAR of a part; merging ignores that (34228d473efe).
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "merged areas"


def play(stage: Stage) -> None:
    """One page was written before in the second half, one after in the first."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[5])
    stage.reset(mapping[:4])
    stage.write(mapping[2])
    stage.mprotect(mapping, PROT_READ)
    stage.mprotect(mapping, PROT_READ | PROT_WRITE)
    stage.collect()
