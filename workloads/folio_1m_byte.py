# SPDX-License-Identifier: GPL-2.0-only
"""One byte of one huge page of 1 MiB is written after a reset.

A multi-size huge page (Linux 6.8, 19eaf44954df) is mapped by entries of its small pages, each with bits of its own: the
unit of tracking stays 4 KiB. wp_page_reuse() makes one entry writable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "multi-size huge pages"


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map_folio(1024)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[1])
    stage.collect()
