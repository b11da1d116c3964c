# SPDX-License-Identifier: GPL-2.0-only
"""Pages are accessed, and then all of them are swapped out.

An entry of swap keeps what RWP knows: accessed pages are reported though they are gone (pagemap.rst). Accessed bits
are lost with the entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"
WHY = {
    "clear_refs-1": (
        "the accessed bit is lost with the entry when a page is swapped out, and smaps counts pages that are "
        "present (smaps_account() in fs/proc/task_mmu.c), on all kernels"
    ),
}


def play(stage: Stage) -> None:
    """Two pages were read, one written."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    stage.read(mapping[2:4])
    stage.write(mapping[5])
    stage.page_out(mapping)
    stage.collect()
