# SPDX-License-Identifier: GPL-2.0-only
"""A fresh mapping of which one page is written, before any reset.

As in fresh_untouched: VM_SOFTDIRTY counts for every page of the VMA. The v6 series' PAGEMAP_NO_REUSED_REGIONS leaves
it out and would report the one page. Interfaces that only a reset arms have nothing to report yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "new memory"


def play(stage: Stage) -> None:
    """A new mapping, tracked, written to, collected."""
    mapping = stage.map(8, populate=False)
    stage.track(mapping)
    stage.write(mapping[3])
    stage.may_report(
        mapping, "nothing is promised before the first reset: soft-dirty marks all new memory (VM_SOFTDIRTY)"
    )
    stage.may_miss(mapping, "nothing is promised before the first reset: protection that is not armed sees no write")
    stage.collect()
