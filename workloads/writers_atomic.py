# SPDX-License-Identifier: GPL-2.0-only
"""Two threads write each page once while collect_reset runs; no update may be lost.

PM_SCAN_WP_MATCHING reports and protects a page under one page-table lock (52526ca7fdb9, Linux 6.7), so a write falls
before or after. What is copied out by the reports must be the memory's content in the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "races"


def play(stage: Stage) -> None:
    """Pages that differ from the copy are lost updates."""
    mapping = stage.map(256)
    stage.track(mapping)
    stage.race_writers(atomic=True)
