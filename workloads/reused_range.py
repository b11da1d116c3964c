# SPDX-License-Identifier: GPL-2.0-only
"""Part of the tracked range is unmapped and mapped anew with the same permissions.

The content of four pages is gone, and soft-dirty.rst promises to say so by VM_SOFTDIRTY (d9104d1ca966, Linux 3.12).
The new VMA merges with its clean neighbour, so the flag counts for the old pages too (34228d473efe). A userfaultfd
registration ends with the VMA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "new memory"


def play(stage: Stage) -> None:
    """The last four pages are new."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset()
    stage.munmap(mapping[4:])
    stage.map(mapping[4:], populate=False)
    stage.expanded(mapping)
    stage.unmapped(mapping[4:])
    stage.collect()
