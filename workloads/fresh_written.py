# SPDX-License-Identifier: GPL-2.0-only
"""A fresh mapping of which one page is written, before any reset.

As in fresh_untouched: VM_SOFTDIRTY counts for every page of the VMA. The v6 series' PAGEMAP_NO_REUSED_REGIONS leaves
it out and would report the one page. What arms itself at the reset only has nothing to say yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.stage import Stage


def play(stage: Stage) -> None:
    """A new mapping, tracked, written to, collected."""
    mapping = stage.map(8, populate=False)
    stage.track(mapping)
    stage.write(mapping[3])
    stage.may_report(
        mapping, "until the first reset nothing is promised: soft-dirty marks new memory in whole (VM_SOFTDIRTY)"
    )
    stage.may_miss(mapping, "until the first reset nothing is promised: protection that is not armed sees no write")
    stage.collect()
