# SPDX-License-Identifier: GPL-2.0-only
"""Pages that were never written are read, which maps the zero page; then one of them is written.

A read must not count. The write replaces the zero page by a new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "plain writes"
WHY = {"scan-wp": "as holes_tables", "uffd-sync": "as holes_pages"}


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map(8, populate=False)
    stage.track(mapping)
    stage.reset()
    stage.read(mapping)
    stage.write(mapping[3])
    stage.collect()
