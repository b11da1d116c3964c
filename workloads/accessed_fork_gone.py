# SPDX-License-Identifier: GPL-2.0-only
"""A forked child accesses its copy of the memory, and ends.

When entries are taken down, accessed bits of a file's pages become a mark of the page itself
(zap_present_folio_ptes()), which smaps of others counts; those of anonymous pages do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "accessed memory"
PROPERTY = "accessed"


def play(stage: Stage) -> None:
    """No page of the parent."""
    mapping = stage.map(8)
    stage.track(mapping)
    stage.reset_afresh()
    child = stage.fork()
    child.read(mapping[2:4])
    child.close()
    stage.collect()
