# SPDX-License-Identifier: GPL-2.0-only
"""Pages are dropped by MADV_DONTNEED after a reset, and one of them is accessed again.

RWP's protection is dropped too, but an entry that is filled anew is not protected, and counts as accessed: nothing is
lost (userfaultfd.rst, "Scope of protection").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "clear_refs-1": "as accessed_new_page",
}


def play(stage: Stage) -> None:
    """One page is written, and one read."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.drop(mapping[3:7])
    stage.write(mapping[4])
    stage.read(mapping[6])
    stage.filled(mapping[3:7])
    stage.collect()
