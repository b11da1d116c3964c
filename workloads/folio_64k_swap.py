# SPDX-License-Identifier: GPL-2.0-only
"""One huge page of 64 KiB: one page is written, all is swapped out, half is read back.

A multi-size huge page (Linux 6.8, 19eaf44954df) is mapped by entries of its small pages, each with bits of its own: the
unit of tracking stays 4 KiB. Reclaim unmaps a folio in one go and swaps it out whole (5ed890ce5147, Linux 6.10); each
swap entry keeps its own bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.measure.stage import Stage

THEME = "multi-size huge pages"


def play(stage: Stage) -> None:
    """One page is written."""
    mapping = stage.map_folio(64)
    stage.track(mapping)
    stage.reset()
    stage.write(mapping[5])
    stage.page_out(mapping)
    stage.read(mapping[:4])
    stage.collect()
