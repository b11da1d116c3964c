# SPDX-License-Identifier: GPL-2.0-only
"""Pages that KSM had merged before the reset: one is written.

KSM (mm/ksm.c) replaces pages of equal content by one that is shared and write-protected (replace_page()). A write
breaks the page out again (do_wp_page()), as it does for any shared page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "what the kernel does by itself"


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8)
    stage.merge_equal(mapping)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[3])
    stage.collect()
