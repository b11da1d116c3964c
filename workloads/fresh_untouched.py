# SPDX-License-Identifier: GPL-2.0-only
"""A fresh mapping that nobody touched, before any reset.

mmap sets VM_SOFTDIRTY on every new VMA, so that memory put where other memory was is not mistaken for it
(d9104d1ca966, Linux 3.12; soft-dirty.rst). For PAGEMAP_SCAN a page without write protection is WRITTEN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "new memory"


def play(stage: Stage) -> None:
    """A new mapping, tracked, collected."""
    mapping = stage.map(8, populate=False)
    stage.track(mapping)
    stage.may_report(
        mapping, "nothing is promised before the first reset: soft-dirty marks all new memory (VM_SOFTDIRTY)"
    )
    stage.collect()
