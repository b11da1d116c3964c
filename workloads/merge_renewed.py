# SPDX-License-Identifier: GPL-2.0-only
"""Half of the mapping is unmapped and mapped anew, then mprotect merges it into the other half.

The new half has VM_SOFTDIRTY: its old content is gone, and soft-dirty.rst promises to say so. The merged VMA takes
the flags of the one whose protection changes (34228d473efe ignores this one in the comparison), so that the other
half's pages count as written too, which they were not.
"""

from __future__ import annotations

from mmap import PROT_READ, PROT_WRITE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "merged areas"


def play(stage: Stage) -> None:
    """The last eight pages are new; the first eight were not touched."""
    mapping = stage.map(16)
    stage.track(mapping)
    stage.reset()
    stage.munmap(mapping[8:])
    stage.map(mapping[8:], protection=PROT_READ)
    stage.mprotect(mapping[8:], PROT_READ | PROT_WRITE)
    stage.expanded(mapping)
    stage.unmapped(mapping[8:])
    stage.collect()
